"""The thresholds of a classification bundle, ``exam_thresholds.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from monai_ich.core.errors import BundleError
from monai_ich.core.json_text import finite, read_json
from monai_ich.core.second_reading import FINDINGS, Thresholds

THRESHOLDS_FILE = "exam_thresholds.json"
SCHEMA = "monai-ich/exam-thresholds/1"
POOLING = "lse"  # of slices to the exam, in a second reading


def read_thresholds(path: Path, weights_sha256: str) -> Mapping[str, Thresholds]:
    """Of each finding that has them; empty where there is no file, or one for other weights or
    another pooling.

    Raises:
        BundleError: ``BAD_CALIBRATION``.
    """
    if not path.is_file():
        return {}
    try:
        record = read_json(path)
        if (record["weights_sha256"], record["pooling"]) != (weights_sha256, POOLING):
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
