"""Hemorrhage labels from the ICH bundle."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ich.bundle import Bundle, predict
from monai_ich.core.calibration import ANY, Evidence
from monai_ich.core.geometry import Box
from monai_ich.core.labels import EDEMA, Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.segment.cleanup import drop_outside, drop_pieces, settle_extra_axial


@dataclass(frozen=True, eq=False)
class Hemorrhage:
    """What the network found, on the CT's grid.

    Args:
        labels: map of `Subtype`.
        edema: around the clots; never blood, never counted with it. None where the network does not
            know it.
        evidence: what the probabilities add up to inside of the cavity.
    """

    labels: LabelMap
    edema: Mask | None
    evidence: Evidence


def segment_ich(
    ct: CTVolume,
    cavity: Mask | None = None,
    *,
    bundle: Bundle,
    within: Box | None = None,
    strip: bool = False,
    flips: bool = False,
    caution: float = 1.0,
    minimum_ml: float = 0.1,
    max_hu: float = 110.0,
    sdh_votes: float = 1.0,
) -> Hemorrhage:
    """Label the five subtypes and edema, and say what the probabilities add up to inside of the
    cavity.

    Args:
        ct: head CT on any grid.
        cavity: blood is looked for inside only; None looks everywhere.
        bundle: of a network for these classes.
        within: voxel box that the network looks at, for speed.
        strip: show the network the cavity only, where there is one. The shipped weights find more
            with the skull.
        flips: average with the mirrored head.
        caution: added to the scores (logits) of background and edema, so that blood must be
            ``exp(caution)`` times as probable as these to be labeled; 0 for the plain arg-max.
        minimum_ml: a piece of blood (all subtypes together) smaller than this is dropped.
        max_hu: a piece of blood whose median is denser than this is dropped: see `drop_pieces`.
        sdh_votes: see `settle_extra_axial`.
    """
    mirrored = range(bundle.classes) if flips else None
    shown = cavity if strip else None
    bias = {channel: caution for channel in (0, EDEMA) if channel < bundle.classes}
    found = predict(bundle, ct, within=within, inside=shown, mirrored=mirrored, bias=bias)
    labels = found.labels if cavity is None else drop_outside(found.labels, cavity)
    names = [*(subtype.name for subtype in Subtype), ANY]
    expected_ml, doubt_ml, slices_ml = found.sums_ml(len(Subtype), cavity)
    edema = labels == EDEMA
    labels[edema] = 0
    labels = drop_pieces(
        labels, ct.hu, voxel_ml=ct.geometry.voxel_ml, minimum_ml=minimum_ml, max_hu=max_hu
    )
    labels = settle_extra_axial(labels, sdh_votes)
    evidence = Evidence(
        dict(zip(names, expected_ml, strict=False)),
        dict(zip(names, doubt_ml, strict=False)),
        dict(zip(names, slices_ml, strict=False)),
    )
    found_edema = Mask(edema, ct.geometry) if bundle.classes > EDEMA else None
    return Hemorrhage(LabelMap(labels, ct.geometry, Subtype), found_edema, evidence)
