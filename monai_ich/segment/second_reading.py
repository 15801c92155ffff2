"""A second reading: the classification bundle, which reads slices and draws nothing."""

from __future__ import annotations

from monai_ich.bundle import Bundle, score_scan
from monai_ich.core.geometry import Box
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.second_reading import FINDINGS, SecondReading
from monai_ich.core.volume import CTVolume
from monai_ich.io.thresholds import POOLING
from monai_ich.parts.findings import finding_probabilities

_LEAST_MM = 30.0  # of height: with less, clots were missed that the whole head shows


def classify_exam(
    ct: CTVolume, *, within: Box | None = None, bundle: Bundle
) -> SecondReading | NotMeasurable:
    """What the network says of an exam, by the thresholds that were found for its weights.

    Args:
        ct: the scan.
        within: voxel box to look at, the head with its scalp: the network sees 240 mm about the
            middle of what is no air, and a couch would push the head out of that.
        bundle: gives logits ``(1, 6, 1, 1, K)`` of slices.

    Returns:
        Not measurable for a scan of little height.

    Raises:
        BundleError: ``BUNDLE_BROKEN`` for scores that are no numbers.
    """
    axis = ct.geometry.slice_axis
    if ct.geometry.shape[axis] * ct.geometry.spacing_mm[axis] < _LEAST_MM:
        return NotMeasurable(f"the scan is less than {_LEAST_MM:.0f} mm high")
    scores = score_scan(bundle, ct, within)
    shares = finding_probabilities(scores, pooling=POOLING)[:, -1].tolist()
    return SecondReading(dict(zip(FINDINGS, shares, strict=True)), bundle.thresholds)
