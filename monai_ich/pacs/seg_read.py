"""DICOM SEG as labels, ours and others': segments by name and code, frames where their positions
say.

Frames go onto the slices of the CT that they were drawn on, where it is given, by
ImagePositionPatient alone: tilted and unevenly spaced series too. Between the slices of an uneven
series, where the CT is interpolated, labels are as well (`core.relabel.fill_slices`). Without a CT
the frames make a grid of their own, sheared as they lie; as empty slices have no frame, the file
must say how far its slices lie apart.

References:
    DICOM PS3.3 C.8.20 (segmentation), C.7.6.16 (functional groups).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.misc import is_dicom

from monai_ich.core.errors import GeometryError, IchError, InputError, SeriesError
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import LabelSet
from monai_ich.core.relabel import fill_slices
from monai_ich.core.volume import LabelMap
from monai_ich.dicom.frames import decode_frame
from monai_ich.dicom.instance import require_bounded
from monai_ich.dicom.series import SourceSeries, places_of_slices
from monai_ich.io.limits import require_size
from monai_ich.io.quiet import quiet
from monai_ich.pacs.segments import Segments

_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
)  # Segmentation, Label Map Segmentation
_SAME_PLACE_MM = 0.35  # a little more than the slices of a series may stray from a line
_ONE_PLACE_MM = 0.02  # frames of two segments on one slice, rounded
_SAME_DIRECTION = 1e-3
_EVEN = 0.1
_MOST_SLICES = 4096
_STEP_UNKNOWN = "pass the CT that it was drawn on, as DICOM"


@dataclass(frozen=True, eq=False)
class Frames:
    """Planes of labels and where they are.

    Args:
        planes: uint8 ``(N, columns, rows)``, from the lowest along the slice normal.
        corners_mm: LPS of the first pixel of each, ``(N, 3)``.
        in_plane_mm: LPS steps from column to column and from row to row, ``(2, 3)``.
        step_mm: how far slices lie apart along the normal, as the file says; None where it does
            not.
        frame_of_reference: UID.
    """

    planes: NDArray[np.uint8]
    corners_mm: FloatArray
    in_plane_mm: FloatArray
    step_mm: float | None
    frame_of_reference: str

    @property
    def normal(self) -> FloatArray:
        """Of the slices, unit length."""
        across = np.cross(*self.in_plane_mm)
        return np.asarray(across / np.linalg.norm(across))


def is_dicom_labels(path: Path) -> bool:
    """Whether this may be a segmentation: a folder, or a file that begins like DICOM."""
    return path.is_dir() or is_dicom(path)


def read_dicom_seg(
    path: Path,
    labels: LabelSet,
    *,
    grid: Geometry | None = None,
    source: SourceSeries | None = None,
    meaning: LabelMeaning | None = None,
) -> LabelMap:
    """Read a segmentation, BINARY or LABELMAP.

    Args:
        path: the file, or a folder that holds one segmentation.
        labels: what the segments may be. Those of a cavity may lie beside anatomy, and are left out
            then.
        grid: of the CT. Where the frames lie on its slices the labels come back on it.
        source: the CT's series, where that is DICOM.
        meaning: what the numbers of segments mean that neither name nor code tells.

    Returns:
        labels on `grid`; else on a grid of the frames, with an empty slice at both ends.

    Raises:
        InputError: ``NOT_LABELS`` where there is not one segmentation; ``NOT_DICOM_SEG`` where it
            is damaged, holds probabilities, or its segments overlap.
        LabelError: ``UNKNOWN_LABEL``, ``CONTRADICTORY_LABEL``.
        GeometryError: ``GRID_MISMATCH`` for another frame of reference than the source's;
            ``UNKNOWN_SPACING``, ``UNEVEN_FRAMES`` where the frames alone do not tell their grid.
    """
    frames = _read_frames(_find_seg(path), labels, meaning)
    placed = None if grid is None else _on_slices(frames, grid, source)
    if grid is not None and placed is not None:
        return LabelMap(placed, grid, labels)
    return _on_own_grid(frames, labels)


def _find_seg(path: Path) -> Path:
    files = (
        sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
        if path.is_dir()
        else [path]
    )
    with quiet("pydicom"):
        found = [file for file in files if _is_seg(file)]
    if len(found) != 1:
        raise InputError(
            "NOT_LABELS",
            f"Labels in DICOM are one SEG, a file or alone in a folder, found {len(found)}: name "
            "the file.",
        )
    return found[0]


def _is_seg(file: Path) -> bool:
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        return header.get("SOPClassUID") in _CLASSES
    except (
        Exception
    ):  # a damaged header fails in many ways; most files of a folder are no DICOM at all
        return False


def _read_frames(path: Path, labels: LabelSet, meaning: LabelMeaning | None) -> Frames:
    try:
        with quiet("pydicom"):
            with path.open("rb") as stream:
                require_bounded(path, stream.read(132))
            d = pydicom.dcmread(path)
            return _frames(d, Segments(d, labels, meaning))
    except SeriesError as error:
        raise InputError(
            "NOT_DICOM_SEG", "The frames of the DICOM SEG cannot be decoded."
        ) from error
    except IchError:
        raise
    except Exception as error:  # a damaged header fails in many ways
        raise InputError(
            "NOT_DICOM_SEG", "The DICOM SEG is damaged or lacks what places its frames."
        ) from error


def _frames(d: Dataset, segments: Segments) -> Frames:
    if d.SegmentationType not in ("BINARY", "LABELMAP"):
        raise InputError(
            "NOT_DICOM_SEG", "A SEG of probabilities holds no labels: BINARY or LABELMAP is needed."
        )
    planes: dict[tuple[float, ...], NDArray[np.uint8]] = {}
    count = int(d.get("NumberOfFrames") or 1)
    require_size((count, d.Rows, d.Columns))
    for n in range(count):
        frame = decode_frame(d, n)
        corner = tuple(map(float, _group(d, n, "PlanePositionSequence").ImagePositionPatient))
        place = next(
            (known for known in planes if math.dist(known, corner) < _ONE_PLACE_MM), corner
        )
        number = None
        if d.SegmentationType == "BINARY":
            number = int(_group(d, n, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        segments.paint(frame, planes.setdefault(place, np.zeros(frame.shape, np.uint8)), number)
    geometries = {_in_plane(d, n) for n in range(len(d.PerFrameFunctionalGroupsSequence))}
    in_plane_mm = np.array(sorted(geometries)[0]).reshape(2, 3)
    if np.ptp(np.array(list(geometries)), axis=0).max() > _SAME_DIRECTION:
        raise InputError(
            "NOT_DICOM_SEG", "The frames of a SEG must be parallel and of one pixel size."
        )
    step_mm = abs(float(_group(d, 0, "PixelMeasuresSequence").get("SpacingBetweenSlices") or 0))
    corners = np.array(list(planes))
    if not (
        np.isfinite(corners).all()
        and np.isfinite(in_plane_mm).all()
        and np.cross(*in_plane_mm).any()
    ):
        raise ValueError("frames without a place")
    order = np.argsort(corners @ np.cross(*in_plane_mm))
    stack = np.stack([plane.T for plane in planes.values()])[order]
    known_mm = step_mm if 0 < step_mm < math.inf else None
    return Frames(
        stack, corners[order], in_plane_mm, known_mm, str(d.get("FrameOfReferenceUID") or "")
    )


def _group(d: Dataset, n: int, sequence: str) -> Any:
    """A functional group of a frame, its own or the one that all share."""
    own, shared = d.PerFrameFunctionalGroupsSequence[n], d.SharedFunctionalGroupsSequence[0]
    return (own if sequence in own else shared)[sequence].value[0]


def _in_plane(d: Dataset, n: int) -> tuple[float, ...]:
    directions = np.array(
        _group(d, n, "PlaneOrientationSequence").ImageOrientationPatient, float
    ).reshape(2, 3)
    between_rows, between_columns = map(float, _group(d, n, "PixelMeasuresSequence").PixelSpacing)
    return tuple((directions * [[between_columns], [between_rows]]).ravel().tolist())


def _on_slices(
    frames: Frames, grid: Geometry, source: SourceSeries | None
) -> NDArray[np.uint8] | None:
    """The labels on `grid`; None where the frames do not lie on its slices."""
    frames_of_reference = (
        {frames.frame_of_reference, source.frame_of_reference_uid} if source else set()
    )
    if len(frames_of_reference - {""}) > 1:
        raise GeometryError(
            "GRID_MISMATCH",
            "The SEG has another frame of reference than the CT: is it of this scan?",
        )
    affine, shape = grid.affine_lps, np.array(grid.shape[:2])
    off_mm = np.abs((affine[:3, :2].T - frames.in_plane_mm) * (shape - 1)[:, None]).max()
    if frames.planes.shape[1:] != grid.shape[:2] or off_mm > _SAME_PLACE_MM:
        return None
    if source is not None:
        at = places_of_slices(grid, source)
    else:
        at = np.arange(grid.shape[2], dtype=np.float64)
        step_mm = abs(float(frames.normal @ affine[:3, 2]))
        if abs(_even_numbers(frames)[1] - step_mm) > _EVEN * step_mm:
            return None
    slices_mm = affine[:3, 3] + at[:, None] * affine[:3, 2]
    away_mm = np.linalg.norm(slices_mm[:, None] - frames.corners_mm, axis=-1)
    slices = np.rint(at).astype(np.int64)[away_mm.argmin(axis=0)]
    if away_mm.min(axis=0).max() > _SAME_PLACE_MM or len(np.unique(slices)) < len(slices):
        return None
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[:, :, slices] = frames.planes.transpose(1, 2, 0)
    return fill_slices(voxels, at)


def _on_own_grid(frames: Frames, labels: LabelSet) -> LabelMap:
    numbers, step_mm = _even_numbers(frames)
    step = frames.normal * step_mm
    if numbers[-1]:
        step = (frames.corners_mm[-1] - frames.corners_mm[0]) / numbers[-1]
    if (
        np.abs(frames.corners_mm - frames.corners_mm[0] - numbers[:, None] * step).max()
        > _SAME_PLACE_MM
    ):
        raise GeometryError(
            "UNEVEN_FRAMES", f"The frames of the SEG do not lie on a line: {_STEP_UNKNOWN}."
        )
    affine = np.eye(4)
    affine[:3, :3] = np.stack([*frames.in_plane_mm, step], axis=1)
    affine[:3, 3] = frames.corners_mm[0] - step
    voxels = np.zeros((*frames.planes.shape[1:], int(numbers[-1]) + 3), np.uint8)
    voxels[:, :, numbers + 1] = frames.planes.transpose(1, 2, 0)
    return LabelMap(voxels, Geometry.from_lps(voxels.shape, affine), labels)


def _even_numbers(frames: Frames) -> tuple[NDArray[np.int64], float]:
    """Slice of each frame, the first is 0, and the distance of slices along their normal, mm.

    A label that goes on at one place beyond a slice without a frame was not empty there: that slice
    never was.
    """
    if frames.step_mm is None:
        raise GeometryError(
            "UNKNOWN_SPACING",
            f"The SEG does not say how far its slices lie apart: {_STEP_UNKNOWN}.",
        )
    along = (frames.corners_mm - frames.corners_mm[0]) @ frames.normal
    numbers = np.rint(along / frames.step_mm).astype(np.int64)
    gaps = np.diff(numbers)
    goes_on = ((frames.planes[1:] == frames.planes[:-1]) & (frames.planes[1:] > 0)).any(axis=(1, 2))
    is_uneven = np.abs(along / frames.step_mm - numbers).max() > _EVEN or (gaps < 1).any()
    if is_uneven or (goes_on & (gaps > 1)).any() or numbers[-1] >= _MOST_SLICES:
        said = f"its slices lie {frames.step_mm:.4g} mm apart, and its frames do not"
        raise GeometryError("UNEVEN_FRAMES", f"The SEG says that {said}: {_STEP_UNKNOWN}.")
    return numbers, frames.step_mm
