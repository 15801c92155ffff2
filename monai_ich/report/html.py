"""The report: one self-contained page that opens from disk. Status and warnings first, then numbers
and pictures.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.report.heat_maps import heat_map_section
from monai_ich.report.key_slices import RULE, key_slice_figures
from monai_ich.report.page import as_page
from monai_ich.report.scroll import viewer_section
from monai_ich.report.tables import (
    lesion_table,
    measurement_table,
    provenance_table,
    warning_list,
)
from monai_ich.report.verdicts import criteria_table, score_table, sign_table
from monai_ich.report.view import View
from monai_ich.report.wording import LIMITS, glance_lines, headline

_LEGEND = (
    "Brain window, 0 to 80 HU. The patient's left is on the right of the picture. Blood is "
    "colored as in the table of "
    "measurements; where a midline shift is measured the ideal midline is dashed, the displaced "
    "one dotted."
)


def write_report(
    path: Path,
    exam: ExamMeasurements,
    view: View,
    *,
    case_id: str,
    midline: Midline | NotMeasurable,
    warnings: Iterable[Notice],
    provenance: Provenance,
    montage_png: Path,
) -> None:
    """Write ``report.html``; works offline, holds no patient data but the scan itself and what
    `case_id` says.
    """
    head, status = view.cropped(), escape(provenance.notice)
    parts = [
        f"<p class=status role=note>{status}</p>",
        f"<p class=headline>{escape(headline(exam))}</p>",
        f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in glance_lines(exam))}</ul>",
        warning_list(tuple(warnings)),
        "<h2>Slices that matter</h2>",
        f"<p>{RULE}</p>",
        key_slice_figures(head, exam, midline),
        f"<p><small>{_LEGEND}</small></p>",
        heat_map_section(head, exam),
        viewer_section(head, exam),
        "<h2>Measurements</h2>",
        measurement_table(exam),
        "<h2>Lesions</h2>",
        lesion_table(exam),
        "<h2>Signs of the largest IPH on non-contrast CT</h2>",
        sign_table(exam),
        "<h2>Published criteria</h2>",
        "<p>Facts with their source, no advice.</p>",
        criteria_table(exam),
        "<h2>Published scores</h2>",
        "<p>Parts that images give. A total is there only where all parts are known.</p>",
        score_table(exam),
        "<h2>Limits</h2>",
        f"<p>{LIMITS}</p>",
        "<h2>The whole head</h2>",
        _overview(exam, montage_png),
        "<h2>How this was made</h2>",
        provenance_table(provenance),
    ]
    page = as_page(f"Head CT {case_id}", parts, on_each_sheet=provenance.notice)
    path.write_text(page, encoding="utf-8")


def _overview(exam: ExamMeasurements, montage_png: Path) -> str:
    picture = base64.b64encode(montage_png.read_bytes()).decode()
    return (
        f'<figure class=wide><img alt="Slices of the scan with masks. {escape(headline(exam))}" '
        f'src="data:image/png;base64,{picture}">\n<figcaption>From the skull base to the vertex; '
        "numbers are slices, "
        "the intracranial cavity is outlined.</figcaption></figure>"
    )
