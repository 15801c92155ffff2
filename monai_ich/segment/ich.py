"""Hemorrhage labels from the ICH bundle."""

from __future__ import annotations

from dataclasses import dataclass

from monai_ich.bundle import Bundle, predict
from monai_ich.core.calibration import ANY, Evidence
from monai_ich.core.geometry import Box
from monai_ich.core.labels import EDEMA, EXTRA_AXIAL, Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.segment.cleanup import (
    drop_doubtful,
    drop_outside,
    drop_pieces,
    settle_doubtful,
    settle_extra_axial,
)


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
    caution: float = 0.4,
    certainty: float = 4.0,
    kind_certainty: float = 2.0,
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
        certainty: a piece of blood (all subtypes together) stays where at least `minimum_ml` of it
            is ``exp(certainty)`` times as probable as background: what a piece ends at may be less
            sure than that there is one. No more than `caution`: each stays.
        kind_certainty: a part of a piece keeps its subtype where at least `minimum_ml` of it is
            ``exp(kind_certainty)`` times as probable as all else: see `settle_doubtful`. EDH and
            SDH count as one, since `sdh_votes` tells them apart.
        minimum_ml: a piece smaller than this is dropped.
        max_hu: a piece of blood whose median is denser than this is dropped: see `drop_pieces`.
        sdh_votes: see `settle_extra_axial`.
    """
    mirrored = range(bundle.classes) if flips else None
    shown = cavity if strip else None
    bias = {channel: caution for channel in (0, EDEMA) if channel < bundle.classes}
    found = predict(bundle, ct, within=within, inside=shown, mirrored=mirrored, bias=bias)
    labels = found.labels if cavity is None else drop_outside(found.labels, cavity)
    sums = found.sums(len(Subtype), cavity)
    edema = labels == EDEMA
    labels[edema] = 0
    sure_ml = {"sure_ml": found.voxel_ml, "least_ml": minimum_ml}
    if certainty > caution:
        sure = found.sure_voxels(Subtype, certainty - caution, ct.geometry)
        labels = drop_doubtful(labels, sure, **sure_ml)
    labels = drop_pieces(
        labels, ct.hu, voxel_ml=ct.geometry.voxel_ml, minimum_ml=minimum_ml, max_hu=max_hu
    )
    labels = settle_extra_axial(labels, sdh_votes)
    kinds = {s: EXTRA_AXIAL if s in EXTRA_AXIAL else (s,) for s in Subtype}
    of_kind = {s: found.sure_voxels(k, kind_certainty, ct.geometry) for s, k in kinds.items()}
    labels = settle_doubtful(labels, of_kind, **sure_ml)
    names = [*(subtype.name for subtype in Subtype), ANY]
    evidence = Evidence(
        dict(zip(names, sums.expected_ml, strict=False)),
        dict(zip(names, sums.doubt_ml, strict=False)),
        dict(zip(names, sums.log_odds, strict=False)),
        dict(zip(names, sums.slices_ml, strict=False)),
    )
    found_edema = Mask(edema, ct.geometry) if bundle.classes > EDEMA else None
    return Hemorrhage(LabelMap(labels, ct.geometry, Subtype), found_edema, evidence)
