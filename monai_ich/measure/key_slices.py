"""Which slice to look at first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.calibration import ANY, Evidence
from monai_ich.core.exam_slices import KeySlice
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap

_LEAST_ML = 0.01  # below this, expected volumes of slices are all the same


def find_key_slices(labels: LabelMap, evidence: Evidence | None = None) -> tuple[KeySlice, ...]:
    """One slice for each subtype, and one for `ANY` of them.

    Where some is labeled it is the slice of largest area; of equal areas the one on which the
    network's probabilities add up to the most, then the lowest. Where none is labeled it is the
    slice on which they add up to the most, so that a reader sees what the network came nearest to;
    below 0.01 mL, or without a network, no slice stands out.

    Args:
        labels: map of `Subtype`, slices along K.
        evidence: of the network that made them.
    """
    found = [_find(ANY, labels.voxels > 0, labels, evidence)]
    found += [_find(s.name, labels.voxels == int(s), labels, evidence) for s in Subtype]
    return tuple(key for key in found if key is not None)


def _find(
    of: str, here: NDArray[np.bool_], labels: LabelMap, evidence: Evidence | None
) -> KeySlice | None:
    geometry, what = labels.geometry, "hemorrhage" if of == ANY else of
    counts = here.sum(axis=(0, 1))
    expected_ml = np.array(
        evidence.slices_ml[of] if evidence and evidence.slices_ml else np.zeros(len(counts))
    )
    if counts.any():
        k = int(np.lexsort((-expected_ml, -counts))[0])
        i, j, _ = geometry.affine[:3, :3].T
        cm2 = counts[k] * float(np.linalg.norm(np.cross(i, j))) / 100
        middle = np.append(np.argwhere(here[:, :, k]).mean(axis=0), k)
        because = f"largest area of {what}, {cm2:.1f} cm²"
    else:
        k = int(expected_ml.argmax())
        if expected_ml[k] < _LEAST_ML:
            return None
        middle = np.array([(geometry.shape[0] - 1) / 2, (geometry.shape[1] - 1) / 2, k])
        because = (
            f"none labeled; probabilities of {what} add up to the most, {expected_ml[k]:.2f} mL"
        )
    x, y, z = geometry.to_world(middle).tolist()
    return KeySlice(of, k, (x, y, z), because)
