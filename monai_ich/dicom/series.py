"""One DICOM series to a CT volume in Hounsfield units, with geometry from positions and nothing
else.

Refusals (`SeriesError`) are the codes of `dicom.ranking` and, here, NON_ORTHOGONAL_IOP
NON_LINEAR_POSITIONS DUPLICATE_UID DUPLICATE_POSITION MISSING_SLICES SLICE_LEVEL INTERLEAVED
NO_RESCALE UNSUPPORTED_TRANSFER_SYNTAX CHANGED_WHILE_READING CORRUPT_PIXEL_DATA TRUNCATED_FILE
MIXED_*; warnings VARIABLE_SPACING GANTRY_TILT TILT_MISMATCH SLICES_INTERPOLATED LOSSY CONTRAST
NOT_HEAD NONSTANDARD_PADDING and, in lenient mode, MISSING_SLICES TRUNCATED_FILE MIXED_*
DUPLICATE_POSITION for what strict mode refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.acquisition import Acquisition
from monai_ich.core.errors import GeometryError, SeriesError
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.provenance import Notice
from monai_ich.core.regrid import even_positions, is_even, regrid, slab_widths_mm
from monai_ich.core.volume import AIR_HU, MAX_HU, CTVolume
from monai_ich.dicom.completeness import require_complete, require_no_gap
from monai_ich.dicom.discovery import SAME_PLACE_MM
from monai_ich.dicom.geometry import affine_lps, order_slices, signed_tilt_deg
from monai_ich.dicom.instance import Instance
from monai_ich.dicom.levels import require_levels, require_one_pass
from monai_ich.dicom.pixels import read_slices
from monai_ich.dicom.ranking import Candidate
from monai_ich.dicom.words import names_other_part
from monai_ich.io.hounsfield import require_hu


@dataclass(frozen=True)
class SourceSeries:
    """Where a volume came from, for objects that must refer back to it (DICOM SEG, SR).

    Args:
        study_uid, series_uid, frame_of_reference_uid: UIDs.
        sop_uids: in slice order.
        paths: instance files, in slice order; of a zip they stay on disk as long as this object
            lives.
        positions_mm: true positions along the slice normal, increasing, before any regridding.
        frame_numbers: 1-based frame of each slice in a multi-frame object; empty for classic
            images.
        acquisition: how the scan was made, as the header of the first slice states it.
    """

    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    sop_uids: tuple[str, ...]
    paths: tuple[Path, ...]
    positions_mm: tuple[float, ...]
    frame_numbers: tuple[int, ...] = ()
    acquisition: Acquisition = field(default_factory=Acquisition)
    keep: object = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not len(self.sop_uids) == len(self.paths) == len(self.positions_mm):
            raise SeriesError(
                "BAD_SOURCE", "A source series needs a UID, a file and a position for each slice."
            )
        if any(b <= a for a, b in zip(self.positions_mm, self.positions_mm[1:], strict=False)):
            raise SeriesError("BAD_SOURCE", "The positions of a source series must increase.")


def places_of_slices(geometry: Geometry, source: SourceSeries) -> FloatArray:
    """Where each source slice lies along K of the grid that was made of them; it starts at the
    first one.

    Whole numbers on an even series; on an uneven one mostly within 0.12 mm of one
    (`core.regrid.even_positions`).

    Raises:
        GeometryError: ``GRID_MISMATCH`` where the grid does not hold every source slice.
    """
    i, j, k = geometry.affine[:3, :3].T
    normal = np.cross(i, j)
    step_mm = abs(float(normal @ k)) / float(np.linalg.norm(normal))
    at = (np.array(source.positions_mm) - source.positions_mm[0]) / step_mm
    nearest = np.rint(at)
    if nearest[-1] != geometry.shape[2] - 1 or np.abs(at - nearest).max() * step_mm > max(
        0.5, 0.25 * step_mm
    ):
        raise GeometryError(
            "GRID_MISMATCH",
            "The labels are not on the grid of the DICOM series: resample them first.",
        )
    return np.asarray(at)


def read_series(
    candidate: Candidate, *, mode: Literal["strict", "lenient"] = "strict", assume_hu: bool = False
) -> tuple[CTVolume, SourceSeries, tuple[Notice, ...]]:
    """Read the images of one series into a volume.

    Slices are ordered by position along ``row x column``; the shear of a tilted gantry stays in the
    affine. Uneven slices are interpolated linearly onto an even grid (`core.regrid`) and rounded to
    whole HU, as scanners store. Values are clamped to -1024..3071.

    Args:
        candidate: from `rank_series`.
        mode: ``"lenient"`` fills one missing slice of at most 6 mm and warns of what else
            ``"strict"`` refuses as incomplete.
        assume_hu: take stored values as HU where there is no rescale.

    Raises:
        SeriesError: see the module.
    """
    warnings = require_complete(candidate.group, mode=mode)
    instances, along = order_slices(candidate.instances)
    hu, odd_border, lossy = read_slices(instances, assume_hu=assume_hu)
    keep = _without_doubles(along, hu)
    copies = len(candidate.instances) - len(keep)
    if copies:
        warnings.append(
            Notice(
                "DUPLICATE_POSITION", f"{copies} images were copies of others and were left out."
            )
        )
        instances, along, hu = [instances[n] for n in keep], along[keep], hu[:, :, keep]
    warnings += require_no_gap(instances, along, mode=mode)
    require_hu(hu, made_air_hu=AIR_HU if odd_border else None)
    require_levels(hu, instances)
    affine = affine_lps(instances, along)
    tilt_deg = signed_tilt_deg(affine)
    widths: tuple[float, ...] | None = None
    if not is_even(along):
        hu, affine, wanted = _even(hu, affine, along)
        widths = tuple(round(float(w), 4) for w in slab_widths_mm(along))
        if not any(w.code == "SLICES_INTERPOLATED" for w in warnings):
            warnings.append(_spacing_warning(along, wanted))
    require_one_pass(hu)
    np.clip(hu, AIR_HU, MAX_HU, out=hu)
    warnings += _header_warnings(instances, tilt_deg, lossy=lossy)
    if odd_border:
        warnings.append(
            Notice(
                "NONSTANDARD_PADDING",
                "The border held a constant that is not air; it was set to air.",
            )
        )
    geometry = Geometry.from_lps((hu.shape[0], hu.shape[1], hu.shape[2]), affine)
    return CTVolume(hu, geometry, widths), _source(instances, along), tuple(warnings)


def _source(instances: list[Instance], along: FloatArray) -> SourceSeries:
    first = instances[0]
    return SourceSeries(
        first.study_uid,
        first.series_uid,
        first.frame_of_reference,
        tuple(i.sop_uid for i in instances),
        tuple(i.path for i in instances),
        tuple(float(a) for a in along),
        tuple(i.frame + 1 for i in instances if i.frame is not None),
        Acquisition.stated(
            first.thickness_mm, first.kernel, first.manufacturer, where="the DICOM header"
        ),
    )


def _without_doubles(along: FloatArray, hu: NDArray[np.float32]) -> list[int]:
    """Indices without images that repeat position and pixels; refuses those that repeat the
    position only.
    """
    keep = [0]
    for n in range(1, len(along)):
        if along[n] - along[keep[-1]] > SAME_PLACE_MM:
            keep.append(n)
        elif not np.array_equal(hu[:, :, n], hu[:, :, keep[-1]]):
            raise SeriesError(
                "DUPLICATE_POSITION",
                "Two different images lie at one position: the series holds two.",
            )
    if len(keep) < 3:
        raise SeriesError(
            "TOO_FEW_SLICES", f"{len(keep)} different slices were found, at least 3 are needed."
        )
    return keep


def _even(
    hu: NDArray[np.float32], affine: FloatArray, along: FloatArray
) -> tuple[NDArray[np.float32], FloatArray, FloatArray]:
    wanted = even_positions(along)
    mean_step = (along[-1] - along[0]) / (len(along) - 1)
    regridded = regrid(hu, along, wanted)
    np.rint(regridded, out=regridded)
    affine = affine.copy()
    affine[:3, 2] *= (wanted[1] - wanted[0]) / mean_step
    return regridded, affine, wanted


def _spacing_warning(along: FloatArray, wanted: FloatArray) -> Notice:
    gaps = np.diff(along)
    return Notice(
        "VARIABLE_SPACING",
        f"Uneven spacing: slices lie {gaps.min():.2f} to {gaps.max():.2f} mm apart; interpolated "
        "every "
        f"{wanted[1] - wanted[0]:.2f} mm, volumes follow the true positions.",
    )


def _header_warnings(instances: list[Instance], tilt_deg: float, *, lossy: bool) -> list[Notice]:
    first = instances[0]
    found = []
    if abs(tilt_deg) > 0.5:
        found.append(
            Notice(
                "GANTRY_TILT",
                f"The gantry was tilted by {abs(tilt_deg):.1f} degrees; the tilt is kept.",
            )
        )
    if first.tilt_deg is not None and abs(abs(first.tilt_deg) - abs(tilt_deg)) > 1.0:
        found.append(
            Notice(
                "TILT_MISMATCH",
                f"The header says a tilt of {first.tilt_deg:.1f} degrees, positions say "
                f"{tilt_deg:.1f}; positions win.",
            )
        )
    if lossy or any(i.lossy for i in instances):
        found.append(
            Notice("LOSSY", "The images were compressed with loss; densities are approximate.")
        )
    if any(i.contrast for i in instances):
        found.append(
            Notice("CONTRAST", "A contrast agent was given; bright vessels can look like blood.")
        )
    if names_other_part(first.body_part):
        found.append(Notice("NOT_HEAD", "The header names another body part than the head."))
    return found
