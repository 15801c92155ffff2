"""The density of the brain, and of an SDH against it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.measurement import Category, NotMeasurable
from monai_ich.core.volume import CTVolume, LabelMap, Mask, holds
from monai_ich.measure.signs import ISODENSE_HU

_BRAIN_HU = (0.0, 80.0)  # leaves out air, fat, bone, metal
_SMOOTH_MM = 1.5
_LEAST_MM3 = 100.0
_TAIL_PERCENT = 10.0
_MIXED_HU = 20.0
_CLASSES = ("hypodense", "isodense", "hyperdense")
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)[..., None]


def find_brain_hu(
    ct: CTVolume | None, anatomy: LabelMap | None, labels: LabelMap, edema: Mask | None = None
) -> float | NotMeasurable:
    """Median of the hemispheres without blood and edema; a sample of the voxels says it well.

    Args:
        ct, anatomy, labels, edema: on one grid, slices along K.
    """
    if ct is None:
        return NotMeasurable("no CT was given")
    if anatomy is None:
        return NotMeasurable("no anatomy labels were given")
    few = tuple(slice(None, None, max(1, int(2.0 / mm))) for mm in labels.geometry.spacing_mm)
    brain = holds(anatomy.voxels[few], (Anatomy.LEFT_HEMISPHERE, Anatomy.RIGHT_HEMISPHERE))
    brain &= labels.voxels[few] == 0
    if edema is not None:
        brain &= ~edema.voxels[few]
    hu = ct.hu[few][brain]
    hu = hu[(hu > _BRAIN_HU[0]) & (hu < _BRAIN_HU[1])]
    return float(np.median(hu)) if hu.size else NotMeasurable("no brain is in view")


def classify_density(
    hu: NDArray[np.float32] | None,
    mask: NDArray[np.bool_],
    geometry: Geometry,
    brain_hu: float | NotMeasurable,
) -> Category:
    """``"hypodense"``, ``"isodense"``, ``"hyperdense"`` or ``"mixed"``, against the brain's median.

    Isodense is within 5 HU of it. Mixed: the darkest and the densest tenth are in different classes
    and at least 20 HU apart. These limits are ours; publications class by eye. A rim of one pixel,
    which bone and brain share, is left out.

    Args:
        hu, mask: ``(I, J, K)`` in the lesion's box, slices along K; None without a CT.
        geometry: their grid.
        brain_hu: from `find_brain_hu`.

    References:
        Lee 1997, doi:10.3346/jkms.1997.12.4.353; Park 2013, J Korean Neurosurg Soc 54(1)
    """
    if hu is None:
        return Category(None, "no CT was given")
    if isinstance(brain_hu, NotMeasurable):
        return Category(None, brain_hu.reason)
    core = binary_erosion(mask, structure=_CROSS)
    if core.sum() * geometry.voxel_ml * 1000.0 < _LEAST_MM3:
        return Category(None, "too thin: its border is no part of the clot alone")
    sigma = (*(_SMOOTH_MM / mm for mm in geometry.spacing_mm[:2]), 0.0)
    weight = gaussian_filter(core.astype(np.float32), sigma)[core]
    smooth = gaussian_filter(np.where(core, hu, np.float32(0)), sigma)[core] / weight
    tails = [float(v) for v in np.percentile(smooth, (_TAIL_PERCENT, 100.0 - _TAIL_PERCENT))]
    low, high = (_class(v, brain_hu) for v in tails)
    if low != high and tails[1] - tails[0] >= _MIXED_HU:
        return Category("mixed")
    return Category(_class(float(np.median(hu[core])), brain_hu))


def _class(hu: float, brain_hu: float) -> str:
    """
    >>> _class(30.0, 35.0), _class(40.1, 35.0), _class(29.9, 35.0)
    ('isodense', 'hyperdense', 'hypodense')
    """
    return _CLASSES[1 + int(hu > brain_hu + ISODENSE_HU) - int(hu < brain_hu - ISODENSE_HU)]
