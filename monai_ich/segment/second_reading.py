"""A second reading: the classification bundle, which reads slices and draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from monai_ich.bundle import Bundle, score
from monai_ich.core.errors import BundleError
from monai_ich.core.json_text import finite, read_json
from monai_ich.core.second_reading import FINDINGS, SecondReading, Thresholds
from monai_ich.core.volume import CTVolume
from monai_ich.parts.findings import finding_probabilities

THRESHOLDS_FILE = "exam_thresholds.json"
SCHEMA = "monai-ich/exam-thresholds/1"


def classify_exam(ct: CTVolume, *, bundle: Bundle) -> SecondReading:
    """What the network says of an exam, by the thresholds that were found for its weights.

    Args:
        ct: the whole scan.
        bundle: gives logits ``(1, 6, 1, 1, K)`` of slices.

    Raises:
        BundleError: ``BUNDLE_BROKEN`` for scores that are no numbers; ``BAD_CALIBRATION``.
    """
    shares = finding_probabilities(score(bundle, ct))[:, -1].tolist()
    path = bundle.root / "configs" / THRESHOLDS_FILE
    return SecondReading(
        dict(zip(FINDINGS, shares, strict=True)), read_thresholds(path, bundle.weights_sha256)
    )


def read_thresholds(path: Path, weights_sha256: str) -> Mapping[str, Thresholds]:
    """Of each finding that has them; empty where there is no file, or one for other weights.

    Raises:
        BundleError: ``BAD_CALIBRATION``.
    """
    if not path.is_file():
        return {}
    try:
        record = read_json(path)
        if record["weights_sha256"] != weights_sha256:
            return {}
        return {
            name: Thresholds(*(finite(pair[key]) for key in ("absent_below", "present_from")))
            for name, pair in record["thresholds"].items()
            if name in FINDINGS
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = "evaluate the classification bundle again, or remove the file"
        raise BundleError(
            "BAD_CALIBRATION", f"Thresholds are pairs of probabilities in {THRESHOLDS_FILE}: {why}."
        ) from error
