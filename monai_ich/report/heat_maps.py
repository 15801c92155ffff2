"""What speaks for each subtype, beside the masks: a picture for each subtype that has a heat
map.
"""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.labels import Subtype, label_of
from monai_ich.report.key_slices import as_svg, in_window, outline
from monai_ich.report.view import View

_PIXELS_PER_MM, _CAPTION_PIXELS = 3.0, 22
_MOST = 0.75  # of the color where the map is highest
_LEGEND = (
    "Bright: what the network has found there raises its score for the subtype; dark: it does not, "
    "or speaks against it. Each map has its own scale. This is no probability, and no proof that "
    "the subtype is there: a wrong mask has a heat map, too. Only the inside of the skull is "
    "rated. The mask is outlined in its color; whole maps are in <code>heatmap_*.nii.gz</code>, "
    "from 0 to 1."
)


def heat_map_section(view: View, exam: ExamMeasurements) -> str:
    """Heading, legend and one figure a subtype, on the slice of its largest area; empty without
    heat maps.
    """
    figures = "".join(_figure(view, subtype, k) for subtype, k in _shown(view, exam))
    if not figures:
        return ""
    return (
        f"<h2>What speaks for each subtype</h2>\n<p>{_LEGEND}</p>\n<div "
        f"class=pictures>{figures}</div>"
    )


def heat_picture(view: View, exam: ExamMeasurements) -> NDArray[np.uint8] | None:
    """The same figures side by side, RGB ``(rows, columns, 3)``; None without heat maps."""
    from PIL import Image, ImageDraw, ImageFont

    shown = _shown(view, exam)
    if not shown:
        return None
    width, height = (
        round(n * mm * _PIXELS_PER_MM)
        for n, mm in zip(view.geometry.shape[:2], view.geometry.spacing_mm[:2], strict=True)
    )
    whole = Image.new("RGB", (width * len(shown), height + _CAPTION_PIXELS))
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(_CAPTION_PIXELS - 8)
    for n, (subtype, k) in enumerate(shown):
        figure = Image.fromarray(_heated(view, subtype, k)).resize((width, height))
        whole.paste(figure, (n * width, _CAPTION_PIXELS))
        words = f"{subtype.name}: what speaks for it, no probability; research only"
        pen.text((n * width + 4, 2), words, fill="white", font=font)
    return np.asarray(whole)


def _shown(view: View, exam: ExamMeasurements) -> list[tuple[Subtype, int]]:
    slices = {key.of: view.slice_at(key.at_ras_mm) for key in exam.key_slices}
    return [(subtype, slices[subtype.name]) for subtype in view.heat if subtype.name in slices]


def _figure(view: View, subtype: Subtype, k: int) -> str:
    share = int(view.heat[subtype][:, :, k].max()) / 255
    title = (
        f"Slice {view.numbers[k]}: heat map of {subtype.name}, up to {share:.0%} of its "
        "highest in the whole scan"
    )
    picture = as_svg(view, _heated(view, subtype, k), title)
    return f"<figure>{picture}<figcaption>{escape(title)}</figcaption></figure>"


def _heated(view: View, subtype: Subtype, k: int) -> NDArray[np.uint8]:
    """``(rows, columns, 3)``: CT in window, the heat over it, the mask's outline."""
    from matplotlib import colormaps

    gray, heat = in_window(view.hu[:, :, k].T)[..., None], view.heat[subtype][:, :, k].T / 255.0
    colors = colormaps["inferno"](heat)[..., :3] * 255
    out = (gray + (_MOST * heat)[..., None] * (colors - gray)).astype(np.uint8)
    here = np.equal(view.blood[:, :, k].T, subtype).astype(np.uint8)
    out[outline(here)] = label_of(subtype).color
    return out
