"""Hemorrhage labels from the ICH bundle."""

from __future__ import annotations

from pathlib import Path

from monai_ich.bundle import Bundle, load_bundle, predict
from monai_ich.core.calibration import ANY, Evidence
from monai_ich.core.geometry import Box
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.segment.cleanup import drop_outside, drop_pieces, settle_extra_axial


def segment_ich(
    ct: CTVolume,
    cavity: Mask | None = None,
    *,
    bundle: Bundle | str | Path = "ich_segmentation",
    device: str | None = None,
    within: Box | None = None,
    strip: bool = False,
    flips: bool = False,
    caution: float = 1.0,
    minimum_ml: float = 0.1,
    max_hu: float = 110.0,
    sdh_votes: float = 1.0,
) -> tuple[LabelMap, Evidence]:
    """Label the five subtypes, and say what the network's probabilities add up to inside of the cavity.

    Args:
        ct: head CT on any grid.
        cavity: blood is looked for inside only; None looks everywhere.
        bundle: a loaded bundle, or its name or folder.
        device: see `load_bundle`.
        within: voxel box that the network looks at, for speed.
        strip: show the network the cavity only, where there is one. The shipped weights find more with the skull.
        flips: average with the mirrored head.
        caution: added to the background's score (logit), so that blood must be ``exp(caution)`` times as probable as
            background to be labeled; 0 for the plain arg-max.
        minimum_ml: a piece of blood (all subtypes together) smaller than this is dropped.
        max_hu: a piece of blood whose median is denser than this is dropped: see `drop_pieces`.
        sdh_votes: see `settle_extra_axial`.
    """
    if not isinstance(bundle, Bundle):
        bundle = load_bundle(bundle, device=device)
    mirrored = range(len(Subtype) + 1) if flips else None
    shown = cavity if strip else None
    found = predict(bundle, ct, within=within, inside=shown, mirrored=mirrored, background_bias=caution)
    labels = found.labels if cavity is None else drop_outside(found.labels, cavity)
    names = [*(subtype.name for subtype in Subtype), ANY]
    expected_ml, doubt_ml, slices_ml = (dict(zip(names, sums, strict=False)) for sums in found.sums_ml(cavity))
    labels = drop_pieces(labels, ct.hu, voxel_ml=ct.geometry.voxel_ml, minimum_ml=minimum_ml, max_hu=max_hu)
    labels = settle_extra_axial(labels, sdh_votes)
    return LabelMap(labels, ct.geometry, Subtype), Evidence(expected_ml, doubt_ml, slices_ml)
