"""Where in the brain an intraparenchymal hemorrhage lies."""

from __future__ import annotations

import numpy as np

from monai_ich.core.atlas import AtlasPose
from monai_ich.core.geometry import FloatArray
from monai_ich.core.lesion import Lesion
from monai_ich.core.measurement import Category, NotMeasurable
from monai_ich.core.midline import Midline

# half-axes and centers, MNI mm, left-right mirrored: caudate to external capsule; thalamus
_GANGLIA = np.array([[20.0, 2.0, 3.0], [15.0, 25.0, 17.0]])
_THALAMUS = np.array([[11.0, -19.0, 8.0], [12.0, 15.0, 12.0]])
_STEM_SIDE_MM, _STEM_BACK_MM = 17.0, -40.0  # the fourth ventricle's front wall
_MIDBRAIN_FRONT_MM, _MIDBRAIN_TOP_MM = -14.0, -6.0
_BETWEEN = 0.15  # of the half-axes: about 2 mm from the border of the two
# of displaced brain: half the width of the cavity, and how far from where it was measured
_HALF_WIDTH_MM, _REACH_MM, _NEARBY_MM = 70.0, 40.0, 5.0


def locate(
    lesion: Lesion,
    pose: AtlasPose | NotMeasurable,
    midline: Midline | None = None,
) -> Category:
    """Name the place of a lesion's center of mass: ``"lobar"``, ``"basal_ganglia"``,
    ``"thalamus"``, ``"deep"`` (near the border of these two), ``"brainstem"`` or ``"cerebellum"``.

    The anatomy labels say what lies below the tentorium; within, regions are simple bodies in MNI
    millimeters around basal ganglia with the capsules, thalamus and brainstem. Where the midline is
    displaced, so is the brain above the tentorium: the place is that before.

    Args:
        lesion: an IPH.
        pose: the head in the atlas, from `find_atlas_pose`.
        midline: of that head; None where it is not known.
    """
    if isinstance(pose, NotMeasurable):
        return Category(None, pose.reason)
    if lesion.compartment == "unknown":
        return Category(None, "the lesion lies outside of the anatomy labels")
    mni = pose.to_mni(lesion.centroid_ras_mm)
    is_below = lesion.compartment == "infratentorial"
    if not is_below and midline is not None and len(midline.displaced_mm):
        mni = before_shift(mni, pose.to_mni(midline.displaced_mm))
    return Category(region_at(mni, infratentorial=is_below))


def before_shift(mni_mm: FloatArray, midline_mm: FloatArray) -> FloatArray:
    """Where a point of the brain lay before it was displaced with the midline.

    The displacement is that of the nearest part of the midline. It falls off toward the inner
    table, slowly at first: brain between a mass and the midline moves with it.

    Args:
        mni_mm: ``(3,)``.
        midline_mm: ``(N, 3)`` the displaced midline; the ideal one is x = 0.

    >>> before_shift(np.array([-35.0, 0.0, 10.0]), np.array([[8.0, 0.0, 10.0]])).tolist()
    [-41.0, 0.0, 10.0]
    """
    away = np.linalg.norm(midline_mm[:, 1:] - mni_mm[1:], axis=1)
    shift = float(np.median(midline_mm[away <= away.min() + _NEARBY_MM, 0]))
    inside = max(0.0, 1.0 - (float(mni_mm[0]) / _HALF_WIDTH_MM) ** 2)
    share = inside * float(np.exp(-0.5 * (away.min() / _REACH_MM) ** 2))
    return np.asarray(mni_mm - np.array([share * shift, 0.0, 0.0]))


def region_at(mni_mm: FloatArray, *, infratentorial: bool) -> str:
    """The region at a point ``(3,)``.

    >>> region_at(np.array([-27.0, 0.0, 2.0]), infratentorial=False)
    'basal_ganglia'
    """
    x, y, z = abs(float(mni_mm[0])), float(mni_mm[1]), float(mni_mm[2])
    stem = x < _STEM_SIDE_MM and y > _STEM_BACK_MM
    if infratentorial:
        return "brainstem" if stem else "cerebellum"
    if stem and y < _MIDBRAIN_FRONT_MM and z < _MIDBRAIN_TOP_MM:
        return "brainstem"
    ganglia, thalamus = (
        float(np.linalg.norm(([x, y, z] - body[0]) / body[1])) for body in (_GANGLIA, _THALAMUS)
    )
    if min(ganglia, thalamus) > 1.0:
        return "lobar"
    if abs(ganglia - thalamus) < _BETWEEN:
        return "deep"
    return "basal_ganglia" if ganglia < thalamus else "thalamus"
