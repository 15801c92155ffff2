"""Read a head CT from whatever it is kept in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from monai_ich.core.acquisition import Acquisition
from monai_ich.core.errors import InputError, SeriesError
from monai_ich.core.geometry import Geometry
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import LabelSet
from monai_ich.core.provenance import Notice
from monai_ich.core.scratch import temporary
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.dicom.appearance import appearance_of, middle
from monai_ich.dicom.discovery import Found
from monai_ich.dicom.ranking import MIN_COVERAGE_MM, USUAL_COVERAGE_MM, Candidate
from monai_ich.dicom.series import SourceSeries, read_series
from monai_ich.dicom.survey import Survey, is_number, survey
from monai_ich.io.hounsfield import require_hu
from monai_ich.io.label_origin import known_labels
from monai_ich.io.nifti import read_nifti_ct, read_nifti_numbers
from monai_ich.io.nifti_space import require_grid_kept
from monai_ich.io.output import settle
from monai_ich.io.sidecar import read_sidecar

_NIFTI = (".nii", ".nii.gz")
_NRRD = (".seg.nrrd", ".nrrd")
_OTHER_FORMATS = (".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".img", ".mgz", ".mgh", ".mnc", ".nia")
_EXTENT_MM = (80.0, 1000.0)


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT and where it came from.

    Args:
        volume: the CT.
        source: the DICOM series; None for a NIfTI file.
        warnings: what the reader of a number must know.
        survey: every series that was looked at; None for a NIfTI file.
        acquisition: how the scan was made, as far as it or a sidecar says.
    """

    volume: CTVolume
    source: SourceSeries | None = None
    warnings: tuple[Notice, ...] = ()
    survey: Survey | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)

    @property
    def series(self) -> tuple[Candidate, ...]:
        """Every series that was looked at, best first."""
        return self.survey.candidates if self.survey is not None else ()


@contextmanager
def as_one_path(image: tuple[Path, ...]) -> Iterator[Path]:
    """One path for `read_ct`: the files of a series that lies among others are copied together
    meanwhile.
    """
    if len(image) == 1:
        yield image[0]
        return
    with temporary() as scratch:
        for number, path in enumerate(image):
            if path.is_file():  # a missing one is missed by import
                shutil.copyfile(path, scratch / f"{number:05d}.dcm")
        yield scratch


def read_ct(
    path: str | Path,
    *,
    series_uid: str | int | None = None,
    mode: Literal["strict", "lenient"] = "strict",
    assume_hu: bool = False,
) -> Scan:
    """Read a DICOM folder, single multi-frame file, .zip or DICOMDIR, or a .nii(.gz) file.

    Args:
        path: what to read.
        series_uid: the series to take, whatever its rank: its UID, or its number in the survey, 1
            is the best.
        mode: ``"strict"`` refuses an incomplete series; ``"lenient"`` fills a single missing slice
            of at most 6 mm and turns other signs of loss into warnings.
        assume_hu: take stored values as HU where a CT has no rescale, or a NIfTI file holds but a
            window of them.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_NIFTI``, ``NOT_3D``, ``NOT_HU``, ``NON_FINITE``,
            ``NO_ORIENTATION``, ``INSUFFICIENT_COVERAGE``, ``UNKNOWN_FORMAT``.
        SeriesError: see `dicom.archive`, `dicom.survey`, `dicom.ranking` and `dicom.series`.
        ValueError: for another mode.
    """
    if mode not in ("strict", "lenient"):
        raise ValueError(f"mode must be strict or lenient, not {mode!r}")
    path = Path(path)
    settle(path.parent)
    series = None if series_uid is None else str(series_uid)
    if is_nifti(path) and not is_number(
        series
    ):  # a NIfTI file has no series: its survey refuses every number
        volume = read_nifti_ct(path, assume_hu=assume_hu)
        require_grid_kept(volume.geometry.affine)
        _require_head_size(volume.geometry)
        said = (*(_assumed(volume) if assume_hu else ()), *_shown(volume))
        return Scan(volume, warnings=said, acquisition=read_sidecar(path))
    _require_known_format(path)
    looked = survey(path)
    chosen = looked.choose(series)
    _require_head_width(chosen)
    volume, source, warnings = read_series(chosen, mode=mode, assume_hu=assume_hu)
    source = replace(source, keep=looked.root.scratch)
    shown = [w for w in _shown(volume) if w.code not in {known.code for known in warnings}]
    said = (*warnings, *shown, *_unknown_damage(looked.found))
    return Scan(volume, source, said, looked, source.acquisition)


def _assumed(volume: CTVolume) -> tuple[Notice, ...]:
    """What `require_hu` would have refused."""
    try:
        require_hu(volume.hu)
    except InputError:
        text = (
            "The values do not look like Hounsfield units of a head and were taken as such: "
            "numbers may be wrong."
        )
        return (Notice("ASSUMED_HU", text),)
    return ()


def _require_known_format(path: Path) -> None:
    if path.name.lower().endswith(_OTHER_FORMATS) and path.is_file():
        raise InputError(
            "UNKNOWN_FORMAT",
            "A head CT is read from DICOM (folder, file, .zip, DICOMDIR), .nii and .nii.gz: 3D "
            "Slicer or SimpleITK "
            "converts NRRD, MetaImage and Analyze to NIfTI.",
        )


def _require_head_width(candidate: Candidate) -> None:
    """The same in the planes of a series, whose coverage across them `dicom.ranking` looks at."""
    image = candidate.instances[0]
    extent = [n * step for n, step in zip((image.rows, image.columns), image.spacing, strict=True)]
    if min(extent) < _EXTENT_MM[0] or max(extent) > _EXTENT_MM[1]:
        found = " x ".join(f"{e:.4g}" for e in extent)
        raise SeriesError(
            "INSUFFICIENT_COVERAGE",
            f"Images of a head are {_EXTENT_MM[0]:.0f} to {_EXTENT_MM[1]:.0f} mm wide, found "
            f"{found} mm: is the pixel "
            "spacing in millimeters?",
        )


def _require_head_size(geometry: Geometry) -> None:
    """Refuse a grid that no head CT has: mostly a spacing that was lost (1 mm everywhere) or is not
    in mm.
    """
    low, high = _EXTENT_MM
    extent = [n * step for n, step in zip(geometry.shape, geometry.spacing_mm, strict=True)]
    across = extent[geometry.slice_axis]
    if min(extent) < (MIN_COVERAGE_MM if min(extent) == across else low) or max(extent) > high:
        found = " x ".join(f"{e:.4g}" for e in extent)
        raise InputError(
            "INSUFFICIENT_COVERAGE",
            f"A head CT measures {low:.0f} to {high:.0f} mm each way, found {found} mm: is its "
            "spacing right?",
        )


def _shown(volume: CTVolume) -> list[Notice]:
    """What the images show, whatever a header calls them."""
    spacing, across = volume.geometry.spacing_mm, volume.geometry.slice_axis
    covered = spacing[across] * volume.hu.shape[across]
    slices = np.moveaxis(volume.hu, across, 2)
    few = slices[:, :, middle(slices.shape[2])]
    seen = appearance_of(few, pixel_mm=min(spacing), thickness_mm=spacing[across])
    found = []
    if covered < USUAL_COVERAGE_MM:
        text = (
            f"The scan covers {covered:.0f} mm: volumes are of what is in view, and no head is "
            "whole in it."
        )
        found.append(Notice("LIMITED_COVERAGE", text))
    if seen.is_sharp:
        text = (
            "The images are as sharp or noisy as those of a bone kernel, which hides thin "
            "blood and feigns it: give "
        )
        found.append(Notice("SHARP_KERNEL", f"{text}the series of a soft kernel if there is one."))
    if seen.is_enhanced:
        found.append(
            Notice(
                "CONTRAST",
                "Vessels are as dense as after a contrast agent and can look like blood.",
            )
        )
    return found


def _unknown_damage(found: Found) -> list[Notice]:
    if not found.unreadable:
        return []
    text = (
        f"{found.unreadable} DICOM files beside the series cannot be read; it is unknown what "
        "they belong to."
    )
    return [Notice("TRUNCATED_FILE", text)]


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI."""
    return path.name.lower().endswith(_NIFTI)


def read_labels(
    path: str | Path,
    labels: LabelSet,
    *,
    grid: Geometry | None = None,
    source: SourceSeries | None = None,
    meaning: LabelMeaning | None = None,
) -> LabelMap:
    """Read a label map from .nii(.gz), .seg.nrrd or DICOM SEG (a file, or a folder with one).

    What its numbers mean must be known: by our mark in the file, by names and codes of segments, or
    by `meaning` (see `label_origin`). With `AnyLabel` the numbers of a NIfTI file are passed
    through instead.

    Args:
        path: what to read.
        labels: what its values or segments may be.
        grid, source: of the CT: the frames of a DICOM SEG go onto its slices (see `pacs.seg_read`),
            a mask of another extent or order of axes onto its voxels where these coincide.
        meaning: what values, or numbers of DICOM segments, mean that the file itself does not name.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_LABELS`` for another kind of file, and those of each
            format.
        LabelError: ``UNKNOWN_LABEL``, ``UNKNOWN_MEANING``, ``CONTRADICTORY_LABEL``.
        GeometryError: see `pacs.seg_read`.
    """
    path = Path(path)
    settle(path.parent)
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", "The label file does not exist: check the path given.")
    if is_nifti(path):
        return _placed(known_labels(read_nifti_numbers(path), labels, path, meaning), grid)
    if path.name.endswith(_NRRD):
        from monai_ich.io.seg_nrrd import read_seg_nrrd  # SciPy is slow to load

        return _placed(read_seg_nrrd(path, labels, meaning), grid)
    from monai_ich.pacs.seg_read import is_dicom_labels, read_dicom_seg

    if is_dicom_labels(path):
        return _placed(
            read_dicom_seg(path, labels, grid=grid, source=source, meaning=meaning), grid
        )
    raise InputError(
        "NOT_LABELS", "Labels are read from .nii, .nii.gz, .seg.nrrd and DICOM SEG files."
    )


def _placed(labels: LabelMap, grid: Geometry | None) -> LabelMap:
    """On the CT's grid where that loses nothing (a crop, other axes); else as it is, for who wants
    it to refuse.
    """
    if grid is None or labels.geometry.same_grid(grid):
        return labels
    from monai_ich.core.relabel import place_labels

    return place_labels(labels, grid) or labels


def interpolation_warnings(scan: Scan | None, *paths: Path | None) -> tuple[Notice, ...]:
    """What masks from these files have lost on this scan: what lay between the slices of an uneven
    series.
    """
    if scan is None or scan.volume.slab_widths_mm is None:
        return ()
    if all(path is None or is_nifti(path) or path.name.endswith(_NRRD) for path in paths):
        return ()
    text = (
        "A DICOM SEG holds nothing between unevenly spaced slices: masks were interpolated there, "
        "so numbers differ "
        "from those of the mask that it was written from."
    )
    return (Notice("MASK_INTERPOLATED", text),)
