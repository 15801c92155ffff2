"""The intracranial cavity and its parts ("skull stripping") from the anatomy bundle."""

from __future__ import annotations

import numpy as np

from monai_ich.anatomy.bone import drop_skull
from monai_ich.anatomy.holes import fill_holes
from monai_ich.anatomy.neck import drop_canal, drop_neck
from monai_ich.anatomy.pieces import largest_piece
from monai_ich.bundle import Bundle, predict
from monai_ich.core.geometry import Box
from monai_ich.core.labels import Anatomy
from monai_ich.core.volume import CTVolume, LabelMap, Mask, box_around

MIRRORED = (0, 2, 1, 4, 3, 5)  # what each value of `Anatomy` becomes in a mirror


def segment_anatomy(
    ct: CTVolume,
    *,
    bundle: Bundle,
    flips: bool = True,
) -> LabelMap:
    """Label hemispheres, ventricles and posterior fossa; their union is the cavity.

    Bone that belongs to the skull is taken away (`drop_skull`), and so is a neck (`drop_neck`). The
    largest connected piece is kept (a head has one cavity) without the spinal canal (`drop_canal`),
    and what it encloses is filled (`fill_holes`). All background where none is found.

    Args:
        ct: head CT on any grid.
        bundle: of a network for these classes.
        flips: average with the mirrored head, sides exchanged: the interface of the sides, and so
            the midline shift, then favors neither side.
    """
    voxels = predict(bundle, ct, mirrored=MIRRORED if flips else None).labels
    cavity = largest_piece(drop_neck(drop_skull(voxels > 0, ct.hu), ct.hu, ct.geometry))
    cavity = drop_canal(cavity, ct.geometry)
    labels = fill_holes(np.where(cavity, voxels, 0).astype(np.uint8), ct.hu, ct.geometry.slice_axis)
    return LabelMap(labels, ct.geometry, Anatomy)


def cavity_box(cavity: Mask, *, margin_mm: float) -> Box | None:
    """The voxel box around the cavity with a margin, inside the grid; None where the cavity is
    empty.
    """
    box = box_around(cavity.voxels)
    return None if box is None else cavity.geometry.grow(box, margin_mm)
