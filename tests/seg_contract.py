"""What every DICOM SEG must hold: the true label at the world position of each of its pixels.

The truth is a function of the world, chiral in all three axes; pixels are placed by the SEG's own
header and DICOM PS3.3 C.7.6.2.1.1 alone, so neither our reader nor highdicom takes part in the
judgment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import Provenance
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import Scan
from monai_ich.pacs.origin import Origin, read_origin
from monai_ich.pacs.seg import make_dicom_seg

# RAS mm and radius of a ball for each label: none mirrors to another
BALLS = {
    1: ((30, 35, 5), 17),
    2: ((-28, -30, 22), 14),
    3: ((4, 8, 14), 9),
    4: ((-34, 20, -16), 12),
    5: ((36, -32, -9), 15),
}
PROVENANCE = Provenance({"monai-ich": "1.2.3"}, weights={"ich_segmentation": "ab" * 32})


def truth(ras_mm: np.ndarray) -> np.ndarray:
    """Label at RAS mm ``(..., 3)``."""
    found = np.zeros(ras_mm.shape[:-1], np.uint8)
    for label, (center, radius) in BALLS.items():
        found[np.linalg.norm(ras_mm - np.array(center), axis=-1) < radius] = label
    return found


def true_labels(geometry: Geometry) -> LabelMap:
    return LabelMap(
        truth(geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))), geometry, Subtype
    )


def origin_of(scan: Scan, *made_of: bytes) -> Origin:
    assert scan.source is not None
    return read_origin(scan.source, PROVENANCE, *made_of)


def write_seg(path: Path, scan: Scan, labels: LabelMap, **how: str) -> pydicom.Dataset:
    """Write a SEG and read it with pydicom."""
    origin = origin_of(scan, labels.voxels.tobytes())
    origin.write(
        path, make_dicom_seg([labels], origin, what="hemorrhage", series_number=901, **how)
    )
    return pydicom.dcmread(path)


def _plane(
    place: pydicom.Dataset,
    orientation: pydicom.Dataset,
    measures: pydicom.Dataset,
    d: pydicom.Dataset,
):
    """RAS mm of each pixel, and the slice normal in RAS."""
    r, c = np.mgrid[: d.Rows, : d.Columns][..., None]
    row, column = np.array(orientation.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, measures.PixelSpacing)
    lps = (
        np.array(place.ImagePositionPatient, float)
        + c * between_columns * row
        + r * between_rows * column
    )
    return lps * [-1, -1, 1], np.cross(row, column) * [-1, -1, 1]


def _frames(d: pydicom.Dataset) -> Iterator[tuple[pydicom.Dataset, np.ndarray, np.ndarray]]:
    """Group, RAS mm and normal of each frame of a multi-frame object."""
    shared = d.SharedFunctionalGroupsSequence[0]
    for group in d.PerFrameFunctionalGroupsSequence:
        parts = [
            (group if name in group else shared)[name].value[0]
            for name in (
                "PlanePositionSequence",
                "PlaneOrientationSequence",
                "PixelMeasuresSequence",
            )
        ]
        yield group, *_plane(*parts, d)


def _source_planes(folder: Path) -> dict[tuple[str, int | None], tuple[np.ndarray, np.ndarray]]:
    """SOP instance and frame number to the RAS mm of its pixels and its normal."""
    planes = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".md"):
        d = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        if "PerFrameFunctionalGroupsSequence" in d:
            planes |= {
                (d.SOPInstanceUID, n): plane for n, (_, *plane) in enumerate(_frames(d), start=1)
            }
        elif "ImagePositionPatient" in d:
            planes[d.SOPInstanceUID, None] = _plane(d, d, d, d)
    return planes


def seg_by_source(
    seg: pydicom.Dataset, folder: Path
) -> dict[tuple[str, int | None], dict[int, np.ndarray]]:
    """Masks by segment number (0: label map) of each source slice; each frame must lie on the slice
    it refers to.
    """
    planes, found = _source_planes(folder), {}
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for (group, ras_mm, _), frame in zip(_frames(seg), pixels, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        number = source.get("ReferencedFrameNumber")
        key = source.ReferencedSOPInstanceUID, None if number is None else int(number)
        assert np.abs(planes[key][0] - ras_mm).max() < 1e-3
        binary = "SegmentIdentificationSequence" in group
        segment = (
            int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber) if binary else 0
        )
        assert segment not in found.setdefault(key, {})
        found[key][segment] = frame
    return found


def require_truth(seg: pydicom.Dataset, folder: Path, *, blur_mm: float = 0.0) -> None:
    """On every source slice each label is where it truly is, and nowhere else; a slice without a
    frame holds none.

    Args:
        seg: of `true_labels`.
        folder: the source series.
        blur_mm: pixels nearer than this to a boundary, along the slice normal, may go either way
            (regridded series).
    """
    masks, counted = seg_by_source(seg, folder), dict.fromkeys(BALLS, 0)
    planes = _source_planes(folder)
    for key, (ras_mm, normal) in planes.items():
        near = [truth(ras_mm + shift * normal) for shift in (-blur_mm, 0.0, blur_mm)]
        sure = (near[0] == near[1]) & (near[1] == near[2])
        got = masks.get(key, {})
        for label in BALLS:
            mask = got[0] == label if 0 in got else got.get(label, np.zeros_like(sure)) > 0
            assert np.array_equal(mask[sure], (near[1] == label)[sure]), (label, key)
            counted[label] += int(mask.sum())
    assert all(counted.values())
