"""What the audit measures on one synthetic scan: a small record and histograms, so that the volume
can go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import EXTRA_AXIAL, Anatomy, Subtype
from monai_ich.synth.draw import draw_case
from monai_ich.synth.generate import SyntheticScan, synthesize

LOWEST_HU, HIGHEST_HU = -1024, 3071
MOST_BONE_SHARE = 0.5  # a voxel with more bone than this is bone
BONE_LIKE_HU = 150.0  # blood without bone in its voxel is never so dense
RIM_MM = 3.0
CLASSES = (*(s.name for s in Subtype), "brain", "rim", "ventricles", "bone")
_THICKNESS_GRID_MM = 1.0


@dataclass(frozen=True)
class CaseAudit:
    """One case in numbers; dictionaries go by subtype name.

    Args:
        asked_ml: volumes that the case asks for.
        true_ml: from partial-volume shares inside the field of view.
        label_ml: from the voxel labels.
        thickness_mm: EDH and SDH, of the labels (`thickness_mm`), where there are any.
        true_thickness_mm: EDH and SDH on the skull, as the generator made them.
        voxels: labeled.
        bone_voxels: EDH and SDH voxels that are more bone than not; must be 0.
        bright_voxels: labeled voxels above `BONE_LIKE_HU`, to see bone that shines into labels.
        outside_voxels: labeled voxels outside the cavity's label.
        windowed: the export clips HU, or goes through pictures; such scans are left out of the HU
            histograms.
    """

    seed: int
    asked_ml: dict[str, float]
    true_ml: dict[str, float]
    label_ml: dict[str, float]
    thickness_mm: dict[str, float]
    true_thickness_mm: dict[str, float]
    voxels: dict[str, int]
    bone_voxels: dict[str, int]
    bright_voxels: dict[str, int]
    outside_voxels: int
    shift_mm: float
    cavity_ml: float
    slice_mm: float
    tilt_deg: float
    windowed: bool


def audit_case(seed: int) -> tuple[CaseAudit, NDArray[np.int64]]:
    """Synthesize the case of a seed and measure it."""
    return audit_scan(synthesize(draw_case(seed)))


def audit_scan(scan: SyntheticScan) -> tuple[CaseAudit, NDArray[np.int64]]:
    """Measure a scan.

    Returns:
        The record, and `hu_histograms` (all 0 where the export clips HU).
    """
    blood, hu, case = scan.labels.voxels, scan.ct.hu, scan.case
    clear = case.scanner.window_hu is None and case.scanner.pictures is None
    masks = {s.name: blood == s for s in Subtype}
    extra_axial = {s.name: masks[s.name] for s in EXTRA_AXIAL}
    record = CaseAudit(
        seed=case.seed,
        asked_ml={
            s.name: round(sum(b.volume_ml for b in case.hemorrhages if b.subtype is s), 3)
            for s in Subtype
        },
        true_ml=dict(scan.truth.volume_ml),
        label_ml={s.name: round(scan.labels.volume_ml(s), 4) for s in Subtype},
        thickness_mm={
            n: round(thickness_mm(m, scan.labels.geometry), 2)
            for n, m in extra_axial.items()
            if m.any()
        },
        true_thickness_mm=dict(scan.truth.thickness_mm),
        voxels={name: int(m.sum()) for name, m in masks.items()},
        bone_voxels={
            name: int((m & (scan.bone > MOST_BONE_SHARE)).sum()) for name, m in extra_axial.items()
        },
        bright_voxels={
            name: int((m & (hu > BONE_LIKE_HU)).sum()) if clear else 0 for name, m in masks.items()
        },
        outside_voxels=int(((blood > 0) & (scan.anatomy.voxels == 0)).sum()),
        shift_mm=scan.truth.midline_shift_mm,
        cavity_ml=scan.truth.cavity_ml,
        slice_mm=round(case.scanner.slice_mm, 3),
        tilt_deg=round(case.scanner.tilt_deg, 2),
        windowed=not clear,
    )
    histograms = (
        hu_histograms(scan)
        if clear
        else np.zeros((len(CLASSES), HIGHEST_HU - LOWEST_HU + 1), np.int64)
    )
    return record, histograms


def hu_histograms(scan: SyntheticScan) -> NDArray[np.int64]:
    """Voxels by class and HU, ``(len(CLASSES), 4096)``, bins of 1 HU from `LOWEST_HU` on.

    "brain" is the cavity without blood and lateral ventricles, "rim" its part within 3 mm of bone
    (in plane), where partial volume looks like blood, "ventricles" those without blood, "bone" what
    is more than half bone.
    """
    from scipy.ndimage import distance_transform_edt

    anatomy, bone = scan.anatomy.voxels, scan.bone > MOST_BONE_SHARE
    clean = scan.labels.voxels == 0
    ventricles = np.isin(anatomy, (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE))
    brain = (anatomy > 0) & ~ventricles & clean
    far = 2.0 * RIM_MM
    near = np.zeros_like(bone)
    for k in range(bone.shape[2]):
        if bone[:, :, k].any():
            away = distance_transform_edt(~bone[:, :, k], sampling=scan.ct.geometry.spacing_mm[:2])
            near[:, :, k] = np.minimum(away, far) <= RIM_MM
    masks = [
        *(scan.labels.voxels == s for s in Subtype),
        brain,
        brain & near,
        ventricles & clean,
        bone,
    ]
    bins = np.clip(np.rint(scan.ct.hu), LOWEST_HU, HIGHEST_HU).astype(np.int64) - LOWEST_HU
    return np.stack(
        [np.bincount(bins[mask], minlength=HIGHEST_HU - LOWEST_HU + 1) for mask in masks]
    )


def thickness_mm(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    """Largest thickness of a clot: the diameter of the largest ball that fits into it, 0.0 for an
    empty mask.

    Read on an orthogonal grid of 1 mm, so that tilt and thick slices do not matter; exact within
    half a millimeter for a layer. A ball, not a line across: at the vertex a line in the slice
    would run along the clot.
    """
    from scipy.ndimage import distance_transform_edt, map_coordinates

    if not mask.any():
        return 0.0
    box = tuple(
        slice(max(0, hit[0] - 1), hit[-1] + 2)
        for hit in (np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3))
    )
    geometry = geometry.crop(box)  # type: ignore[arg-type]
    fine = geometry.orthogonal((_THICKNESS_GRID_MM,) * 3)
    ijk = geometry.to_voxel(fine.to_world(np.moveaxis(np.indices(fine.shape), 0, -1)))
    inside = (
        map_coordinates(
            mask[box].astype(np.float32), np.moveaxis(ijk, -1, 0), order=1, mode="constant"
        )
        > 0.5
    )
    reach = distance_transform_edt(np.pad(inside, 1))
    return max(0.0, float(2.0 * reach.max() - 0.5)) * _THICKNESS_GRID_MM
