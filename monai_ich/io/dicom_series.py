"""One DICOM series to a CT volume in Hounsfield units, with geometry from positions and nothing else.

Refusals (`SeriesError`) are the codes of `dicom_discovery` and, here, NON_ORTHOGONAL_IOP NON_LINEAR_POSITIONS
DUPLICATE_POSITION MISSING_SLICES NO_RESCALE UNSUPPORTED_TRANSFER_SYNTAX CORRUPT_PIXEL_DATA TRUNCATED_FILE; warnings
VARIABLE_SPACING GANTRY_TILT TILT_MISMATCH SLICES_INTERPOLATED LOSSY CONTRAST NOT_HEAD NONSTANDARD_PADDING.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monai_ich.core.errors import SeriesError
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.provenance import Warn
from monai_ich.core.regrid import even_positions, is_even, regrid, slab_widths_mm
from monai_ich.core.volume import AIR_HU, MAX_HU, CTVolume
from monai_ich.io.dicom_discovery import Candidate, Instance
from monai_ich.io.dicom_pixels import Slice, read_slice
from monai_ich.io.hounsfield import require_hu

_MAX_OFF_LINE_MM = 0.3
_FILL_MM = 6.0


@dataclass(frozen=True)
class SourceSeries:
    """Where a volume came from, for objects that must refer back to it (DICOM SEG, SR).

    Args:
        study_uid, series_uid, frame_of_reference: UIDs.
        sop_uids: in slice order.
        paths: instance files, in slice order.
        positions_mm: along the slice normal, increasing.
    """

    study_uid: str
    series_uid: str
    frame_of_reference: str
    sop_uids: tuple[str, ...]
    paths: tuple[Path, ...]
    positions_mm: tuple[float, ...]


def read_series(
    candidate: Candidate, *, lenient: bool = False, assume_hu: bool = False
) -> tuple[CTVolume, SourceSeries, tuple[Warn, ...]]:
    """Read the images of one series into a volume.

    Slices are ordered by position along ``row x column``; the shear of a tilted gantry stays in the affine. Uneven
    slices are interpolated linearly onto an even grid (`core.regrid`).

    Args:
        candidate: from `rank_series`.
        lenient: fill one missing slice of at most 6 mm.
        assume_hu: take stored values as HU where there is no rescale.

    Raises:
        SeriesError: see the module.
    """
    warnings: list[Warn] = []
    instances, along = _ordered(candidate.instances)
    with ThreadPoolExecutor() as pool:
        slices = list(pool.map(lambda i: read_slice(i.path, assume_hu=assume_hu), instances))
    instances, along, slices = _without_doubles(instances, along, slices)
    missing = _missing(instances, along)
    if missing and not (lenient and sum(missing) == 1 and float(np.median(np.diff(along))) <= _FILL_MM):
        raise SeriesError(
            "MISSING_SLICES",
            f"{sum(missing)} slices are missing inside the series ({len(instances)} found): get the whole series"
            + ("." if lenient else ", or pass --lenient to fill a single one."),
        )
    hu = np.stack([s.hu for s in slices], axis=-1)
    affine, tilt_deg = _affine_lps(instances, along)
    widths: tuple[float, ...] | None = None
    if not is_even(along):
        wanted = even_positions(along)
        hu = regrid(hu, along, wanted)
        affine[:3, 2] *= (wanted[1] - wanted[0]) / ((along[-1] - along[0]) / (len(along) - 1))
        widths = tuple(round(float(w), 4) for w in slab_widths_mm(along))
        warnings.append(_spacing_warning(along, wanted, filled=bool(missing)))
    np.clip(hu, AIR_HU, MAX_HU, out=hu)
    require_hu(hu)
    warnings += _warnings(instances[0], tilt_deg, slices)
    first = instances[0]
    source = SourceSeries(
        first.study_uid,
        first.series_uid,
        first.frame_of_reference,
        tuple(i.sop_uid for i in instances),
        tuple(i.path for i in instances),
        tuple(float(a) for a in along),
    )
    shape = (hu.shape[0], hu.shape[1], hu.shape[2])
    return CTVolume(hu, Geometry.from_lps(shape, affine), widths), source, tuple(warnings)


def _ordered(instances: tuple[Instance, ...]) -> tuple[list[Instance], FloatArray]:
    row, column = np.array(instances[0].orientation[:3]), np.array(instances[0].orientation[3:])
    if abs(float(row @ column)) > 1e-3 or max(abs(np.linalg.norm(v) - 1) for v in (row, column)) > 1e-2:
        raise SeriesError("NON_ORTHOGONAL_IOP", "The image orientation is not made of two perpendicular unit vectors.")
    unique = list({i.sop_uid: i for i in instances}.values())
    along = np.array([i.position for i in unique]) @ np.cross(row, column)
    order = np.argsort(along, kind="stable")
    return [unique[n] for n in order], along[order]


def _without_doubles(
    instances: list[Instance], along: FloatArray, slices: list[Slice]
) -> tuple[list[Instance], FloatArray, list[Slice]]:
    """Drop images that repeat position and pixels; refuse those that repeat the position only."""
    keep = [0]
    for n in range(1, len(along)):
        if along[n] - along[keep[-1]] > 0.01:
            keep.append(n)
        elif not np.array_equal(slices[n].hu, slices[keep[-1]].hu):
            raise SeriesError("DUPLICATE_POSITION", "Two different images lie at one position: the series holds two.")
    if len(keep) < 3:
        raise SeriesError("TOO_FEW_SLICES", f"{len(keep)} different slices were found, at least 3 are needed.")
    return [instances[n] for n in keep], along[keep], [slices[n] for n in keep]


def _missing(instances: list[Instance], along: FloatArray) -> list[int]:
    """Number of slices missing in each gap that is a whole multiple of the usual one.

    Where the images around such a gap are as thick as the gap, the series was planned so (2.5 mm at the base, 5 mm
    above) and nothing is missing.
    """
    gaps = np.diff(along)
    median = float(np.median(gaps))
    missing = []
    for n, gap in enumerate(gaps):
        times = round(gap / median)
        thickness = max(instances[n].thickness_mm or 0.0, instances[n + 1].thickness_mm or 0.0)
        if times >= 2 and abs(gap - times * median) <= max(0.05, 0.02 * gap) and thickness < 0.75 * gap:
            missing.append(times - 1)
    return missing


def _affine_lps(instances: list[Instance], along: FloatArray) -> tuple[FloatArray, float]:
    """Affine of the series and the signed tilt of its planes against the direction of travel."""
    first, last = np.array(instances[0].position), np.array(instances[-1].position)
    row, column = np.array(instances[0].orientation[:3]), np.array(instances[0].orientation[3:])
    travel = (last - first) / (along[-1] - along[0])
    off = np.array([i.position for i in instances]) - first - (along - along[0])[:, None] * travel
    if np.abs(off).max() > _MAX_OFF_LINE_MM:
        raise SeriesError("NON_LINEAR_POSITIONS", f"Slices stray {np.abs(off).max():.1f} mm from a straight line.")
    dy, dx = instances[0].spacing
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * dx, column * dy
    affine[:3, 2] = travel * (along[-1] - along[0]) / (len(along) - 1)
    affine[:3, 3] = first
    normal = np.cross(row, column)
    cosine = float(normal @ travel) / float(np.linalg.norm(travel))
    sign = 1.0 if float(travel @ column) < 0 else -1.0
    return affine, sign * math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def _spacing_warning(along: FloatArray, wanted: FloatArray, *, filled: bool) -> Warn:
    gaps = np.diff(along)
    text = (
        f"slices lie {gaps.min():.2f} to {gaps.max():.2f} mm apart; interpolated every {wanted[1] - wanted[0]:.2f} mm"
    )
    if filled:
        return Warn("SLICES_INTERPOLATED", f"One slice is missing: {text}.")
    return Warn("VARIABLE_SPACING", f"Uneven spacing: {text}, volumes follow the true positions.")


def _warnings(first: Instance, tilt_deg: float, slices: list[Slice]) -> list[Warn]:
    found = []
    if abs(tilt_deg) > 0.5:
        found.append(Warn("GANTRY_TILT", f"The gantry was tilted by {abs(tilt_deg):.1f} degrees; the tilt is kept."))
    if first.tilt_deg is not None and abs(abs(first.tilt_deg) - abs(tilt_deg)) > 1.0:
        found.append(
            Warn(
                "TILT_MISMATCH",
                f"The header says a tilt of {first.tilt_deg:.1f} degrees, positions say {tilt_deg:.1f}; positions win.",
            )
        )
    if first.lossy:
        found.append(Warn("LOSSY", "The images were compressed with loss; densities are approximate."))
    if first.contrast:
        found.append(Warn("CONTRAST", "A contrast agent was given; bright vessels can look like blood."))
    if first.body_part and not any(w in first.body_part for w in ("HEAD", "BRAIN", "SKULL", "NEURO", "ORBIT", "FACE")):
        found.append(Warn("NOT_HEAD", "The header names another body part than the head."))
    if any(s.odd_padding for s in slices):
        found.append(Warn("NONSTANDARD_PADDING", "The border holds values that are no HU; they were set to air."))
    return found
