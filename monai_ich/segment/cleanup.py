"""What is changed in a network's labels, and why; nothing else is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, median

from monai_ich.core.geometry import Box
from monai_ich.core.labels import EXTRA_AXIAL, Subtype
from monai_ich.core.pieces import label_pieces
from monai_ich.core.volume import CONNECTED_26, Mask, box_around, holds


def drop_outside(labels: NDArray[np.uint8], cavity: Mask) -> NDArray[np.uint8]:
    """Hemorrhage is intracranial: labels outside of the cavity become background.

    >>> from monai_ich.core.geometry import Geometry
    >>> inside = Mask(np.array([[[True, False]]]), Geometry((1, 1, 2), np.eye(4)))
    >>> drop_outside(np.array([[[5, 5]]], np.uint8), inside).tolist()
    [[[5, 0]]]
    """
    return np.where(cavity.voxels, labels, 0).astype(np.uint8)


def drop_doubtful(
    labels: NDArray[np.uint8], sure: NDArray[np.int64], *, sure_ml: float, least_ml: float
) -> NDArray[np.uint8]:
    """Pieces of blood (26-connected, all subtypes together) of which too little is sure become
    background.

    Args:
        labels: values of `Subtype`.
        sure: ``(N, 3)`` voxels in which blood is sure.
        sure_ml: volume that each of these stands for.
        least_ml: how much of a piece has to be sure.

    >>> labels, sure = np.array([[[2, 2, 0, 3]]], np.uint8), np.array([[0, 0, 1], [0, 0, 2]])
    >>> drop_doubtful(labels, sure, sure_ml=0.1, least_ml=0.1).tolist()
    [[[2, 2, 0, 0]]]
    """
    box = box_around(labels > 0)
    if box is None:
        return labels
    pieces, count = label_pieces(labels[box] > 0, structure=CONNECTED_26)
    kept = _sure_in(pieces, count, box, sure) * sure_ml >= least_ml
    out = labels.copy(order="K")
    out[box] *= kept[pieces]
    return out


def settle_doubtful(
    labels: NDArray[np.uint8],
    sure: Mapping[Subtype, NDArray[np.int64]],
    *,
    sure_ml: float,
    least_ml: float,
) -> NDArray[np.uint8]:
    """A part (26-connected, of one subtype) of a piece of blood of which too little is sure to be
    of its subtype takes the one that it touches most; where it touches none, it stays.

    Args:
        labels: values of `Subtype`.
        sure: by subtype, ``(N, 3)`` voxels in which it is sure.
        sure_ml, least_ml: as for `drop_doubtful`.

    >>> sure = {subtype: np.array([[0, 0, 1]]) for subtype in Subtype}
    >>> labels = np.array([[[2, 2, 3, 0, 3]]], np.uint8)
    >>> settle_doubtful(labels, sure, sure_ml=0.1, least_ml=0.1).tolist()
    [[[2, 2, 2, 0, 3]]]
    """
    box = box_around(labels > 0)
    if box is None:
        return labels
    out = labels.copy(order="K")
    inner = out[box]
    for subtype, voxels in sure.items():
        parts, count = label_pieces(labels[box] == subtype, structure=CONNECTED_26)
        doubtful = _sure_in(parts, count, box, voxels) * sure_ml < least_ml
        for number, at in enumerate(find_objects(parts), start=1):
            if doubtful[number]:
                near = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in at)
                part = parts[near] == number
                rim = binary_dilation(part, CONNECTED_26) & ~part
                touched = np.bincount(inner[near][rim])
                if touched[1:].any():
                    inner[near][part] = touched[1:].argmax() + 1
    return out


def _sure_in(
    pieces: NDArray[np.int32], count: int, box: Box, sure: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many of the voxels ``(N, 3)`` lie in each piece of a box, the rest first."""
    at = sure - [s.start for s in box]
    inside = ((at >= 0) & (at < pieces.shape)).all(axis=1)
    return np.bincount(pieces[tuple(at[inside].T)], minlength=count + 1)


def drop_pieces(
    labels: NDArray[np.uint8],
    hu: NDArray[np.float32],
    *,
    voxel_ml: float,
    minimum_ml: float,
    max_hu: float,
) -> NDArray[np.uint8]:
    """Pieces of blood (26-connected, all subtypes together) that are too small or too dense become
    background.

    Too small is below `minimum_ml`; too dense a median above `max_hu`: calcification, bone, metal.

    References:
        New PF, Aronow S. Attenuation measurements of whole blood and blood fractions in computed
        tomography. Radiology 1976;121:635-640 (packed red cells do not exceed some 100 HU)

    >>> labels, sizes = np.array([[[2, 2, 0, 3]]], np.uint8), {"voxel_ml": 1.0, "minimum_ml": 0.1}
    >>> hu = np.array([[[64, 300, 35, 180]]], np.float32)
    >>> drop_pieces(labels, hu, max_hu=190.0, **sizes).tolist()
    [[[2, 2, 0, 3]]]
    >>> hu[0, 0, 1] = 70
    >>> drop_pieces(labels, hu, max_hu=110.0, **sizes).tolist()
    [[[2, 2, 0, 0]]]
    """
    box = box_around(labels > 0)
    if box is None:
        return labels
    pieces, count = label_pieces(labels[box] > 0, structure=CONNECTED_26)
    inside = pieces > 0
    piece = pieces[inside]
    small = np.bincount(piece)[1:] * voxel_ml < minimum_ml
    dense = np.asarray(median(hu[box][inside], piece, np.arange(1, count + 1))) > max_hu
    out = labels.copy(order="K")
    out[box][inside] *= ~(small | dense)[piece - 1]
    return out


def settle_extra_axial(labels: NDArray[np.uint8], sdh_votes: float) -> NDArray[np.uint8]:
    """One clot on the skull is EDH or SDH, not partly both: each piece of the two takes the one
    with more votes.

    Args:
        labels: values of `Subtype`.
        sdh_votes: what a voxel of SDH counts where one of EDH counts 1; above 1 where EDH is the
            rarer of the two, as in patients (slices of RSNA 2019: 0.4 % with EDH, 6 % with SDH),
            and was not in training.

    References:
        Flanders 2020, doi:10.1148/ryai.2020190211 (RSNA 2019)

    >>> settle_extra_axial(np.array([[[1, 1, 5, 0, 1, 1]]], np.uint8), 4.0).tolist()
    [[[5, 5, 5, 0, 1, 1]]]
    """
    box = box_around(labels > 0)
    if box is None:
        return labels
    inner = labels[box]
    clot = holds(inner, EXTRA_AXIAL)
    pieces, count = label_pieces(clot, structure=CONNECTED_26)
    edh, sdh = (
        np.bincount(pieces[inner == s], minlength=count + 1) for s in (Subtype.EDH, Subtype.SDH)
    )
    settled = np.where(sdh_votes * sdh > edh, np.uint8(Subtype.SDH), np.uint8(Subtype.EDH))
    out = labels.copy(order="K")
    out[box] = np.where(clot, settled[pieces], inner)
    return out
