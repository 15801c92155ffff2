"""What goes into a PACS: segmentation, report and picture of one scan, on its source images.

These files carry the patient and study of the source, since an archive files by them; so they are
written only where they are asked for. All of highdicom is imported late: most runs do not need it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from monai_ich.core.errors import InputError
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Cavity, Subtype
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.core.volume import LabelMap
from monai_ich.dicom.series import SourceSeries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DICOM_RESULTS = ("seg.dcm", "seg_anatomy.dcm", "sr.dcm", "sc.dcm")
DICOM_HEAT_MAPS = (*(f"heatmap_{subtype.name}.dcm" for subtype in Subtype), "sc_heatmaps.dcm")
FORMATS = ("dicom-seg", "dicom-sr", "dicom-sc")


class SeriesNumber(IntEnum):
    """Behind the scanner's."""

    HEMORRHAGE = 901
    ANATOMY = 902
    REPORT = 903
    PICTURE = 904
    HEAT_PICTURE = 905
    HEAT_MAP = 910  # and its subtype's number


def write_dicom_results(
    folder: Path,
    source: SourceSeries,
    labels: LabelMap,
    exam: ExamMeasurements,
    *,
    provenance: Provenance,
    warnings: Iterable[Notice],
    montage: Path,
    anatomy: LabelMap | None = None,
    heat_maps: Sequence[HeatMap] = (),
    heat_picture: NDArray[np.uint8] | None = None,
    formats: Collection[str] = FORMATS,
    encoding: Literal["BINARY", "LABELMAP"] = "BINARY",
) -> None:
    """Write those of `DICOM_RESULTS` that are asked for, and `DICOM_HEAT_MAPS`; the same input,
    weights and settings give the same bytes.

    Args:
        folder: where to.
        source: the images that `labels` were made from.
        labels: hemorrhage, on the CT's grid.
        exam: what was measured.
        provenance: of both.
        warnings: for the report and the picture.
        montage: PNG, see `render_montage`.
        anatomy: written as a segmentation of its own, with the cavity; None for none.
        heat_maps: each a parametric map.
        heat_picture: RGB ``(rows, columns, 3)`` of them over the CT, for viewers that fuse none.
        formats: of `FORMATS`; a report (dicom-sr) refers to the segmentation, so it brings it
            along.
        encoding: of the hemorrhage segmentation.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where labels are on another grid.
        SeriesError: ``BAD_SOURCE`` where the source cannot be referred to.
    """
    from monai_ich.pacs.heat_map import make_dicom_heat_map
    from monai_ich.pacs.origin import read_origin
    from monai_ich.pacs.sc import make_dicom_sc
    from monai_ich.pacs.seg import make_dicom_seg
    from monai_ich.pacs.sr import make_dicom_sr

    warnings = tuple(warnings)
    made_of = [labels.voxels.tobytes(), repr((exam, warnings)).encode(), encoding.encode()]
    made_of += [anatomy.voxels.tobytes()] if anatomy is not None else []
    made_of += [found.voxels.tobytes() for found in heat_maps]
    origin = read_origin(source, provenance, *made_of)
    if "dicom-seg" in formats or "dicom-sr" in formats:
        seg = make_dicom_seg(
            [labels],
            origin,
            what="hemorrhage",
            series_number=SeriesNumber.HEMORRHAGE,
            encoding=encoding,
        )
        origin.write(folder / "seg.dcm", seg)
        if anatomy is not None:
            cavity = LabelMap((anatomy.voxels > 0).astype("uint8"), anatomy.geometry, Cavity)
            made = make_dicom_seg(
                [anatomy, cavity], origin, what="anatomy", series_number=SeriesNumber.ANATOMY
            )
            origin.write(folder / "seg_anatomy.dcm", made)
        if "dicom-sr" in formats:
            report = make_dicom_sr(
                exam, seg, origin, series_number=SeriesNumber.REPORT, warnings=warnings
            )
            origin.write(folder / "sr.dcm", report)
    if "dicom-sc" in formats:
        pixels = _picture(montage, exam, warnings, provenance)
        picture = make_dicom_sc(
            pixels, origin, what="hemorrhage montage", series_number=SeriesNumber.PICTURE
        )
        origin.write(folder / "sc.dcm", picture)
    for found in heat_maps:
        made_map = make_dicom_heat_map(
            found, origin, series_number=SeriesNumber.HEAT_MAP + int(found.subtype)
        )
        origin.write(folder / f"heatmap_{found.subtype.name}.dcm", made_map)
    if heat_picture is not None:
        picture = make_dicom_sc(
            heat_picture, origin, what="heat maps", series_number=SeriesNumber.HEAT_PICTURE
        )
        origin.write(folder / "sc_heatmaps.dcm", picture)


def require_source(source: SourceSeries | None) -> SourceSeries:
    """The source series.

    Raises:
        InputError: ``NOT_DICOM_INPUT`` for a scan that was not read from DICOM.
    """
    if source is None:
        raise InputError(
            "NOT_DICOM_INPUT",
            "DICOM results refer to the source images: the CT must be a DICOM study, not NIfTI.",
        )
    return source


def _picture(
    montage: Path, exam: ExamMeasurements, warnings: Iterable[Notice], provenance: Provenance
) -> NDArray[np.uint8]:
    """The montage with the numbers in words below, RGB ``(rows, columns, 3)``."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from monai_ich.report.wording import summary_lines

    font, step, margin = ImageFont.load_default(15), 21, 14
    with Image.open(montage) as image:
        above = image.convert("RGB")
    wrapped = [
        part
        for line in summary_lines(exam, warnings, provenance)
        for part in _wrapped(line, above.width // 8)
    ]
    whole = Image.new("RGB", (above.width, above.height + 2 * margin + step * len(wrapped)))
    whole.paste(above)
    pen = ImageDraw.Draw(whole)
    for n, line in enumerate(wrapped):
        pen.text((margin, above.height + margin + n * step), line, fill="white", font=font)
    return np.asarray(whole)


def _wrapped(line: str, characters: int) -> list[str]:
    import textwrap

    return textwrap.wrap(line, characters, subsequent_indent="    ") or [""]
