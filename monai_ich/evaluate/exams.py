"""Yes or no over exams: is a finding there, is an amount beyond a clinical limit?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import ge, gt
from typing import Any

import numpy as np

from monai_ich.agreement.detection import auc, count_confusion, f1, kappa
from monai_ich.agreement.estimate import estimate, estimate_share
from monai_ich.core.labels import Subtype
from monai_ich.evaluate.masks import Row
from monai_ich.evaluate.measures import Measure, as_record, patients_of, see
from monai_ich.manifest.manifest import ANY


@dataclass(frozen=True)
class Limit:
    """A limit at which decisions are taken.

    Args:
        key: its name.
        text: in words.
        measured, true: columns of ``cases.csv``.
        beyond: whether an amount lies beyond.
        amount: in the unit of the columns.
    """

    key: str
    text: str
    measured: str
    true: str
    beyond: Callable[[Any, float], Any]
    amount: float


_IPH, _SDH = Subtype.IPH.name, Subtype.SDH.name
# 30 mL: Hemphill 2001, doi:10.1161/01.STR.32.4.891; 5 and 10 mm: Bullock 2006,
# doi:10.1227/01.NEU.0000210364.29290.C9
LIMITS = (
    Limit("iph_30_ml", "IPH >= 30 mL", f"{_IPH}_volume_ml", f"{_IPH}_reference_ml", ge, 30.0),
    Limit("any_30_ml", "any blood >= 30 mL", f"{ANY}_volume_ml", f"{ANY}_reference_ml", ge, 30.0),
    Limit(
        "shift_5_mm",
        "midline shift > 5 mm",
        "midline_shift_mm",
        "reference_shift_along_mm",
        gt,
        5.0,
    ),
    Limit(
        "sdh_10_mm",
        "SDH > 10 mm thick",
        f"{_SDH}_thickness_mm",
        f"{_SDH}_reference_thickness_mm",
        gt,
        10.0,
    ),
)
_DIGITS = 6  # 30 mL of voxels may be 29.999999999999996


def is_told(row: Row, finding: str) -> bool:
    """Whether both reference and prediction say if a finding is there."""
    cells = (row.get(f"{finding}_{name}") for name in ("reference", "predicted"))
    return all(cell is not None for cell in cells)


def see_exams(rows: Sequence[Row], finding: str) -> dict[str, Any]:
    """AUC, sensitivity, specificity, kappa, F1 and confusion matrix of one finding.

    The score of the AUC is the probability where every exam has one, else the volume.
    """
    prefix = f"{finding}_"
    known = [row for row in rows if is_told(row, finding)]
    with_probability = bool(known) and all(row[f"{prefix}probability"] is not None for row in known)
    score = "probability" if with_probability else "volume_ml"
    said, true = ([row[prefix + key] > 0 for row in known] for key in ("predicted", "reference"))
    return {
        "auc": see(Measure("auc", (score, "reference"), auc), known, prefix) | {"score": score},
        **_told(said, true, known),
        "f1": see(Measure("f1", ("predicted", "reference"), f1), known, prefix),
    }


def see_limit(limit: Limit, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Sensitivity, specificity and kappa of what lies beyond a limit, and how many cases were not
    measured; None where no case has a true amount.
    """
    wanted = [row for row in rows if row.get(limit.true) is not None]
    if not wanted:
        return None
    known = [row for row in wanted if row.get(limit.measured) is not None]
    said, true = (
        [bool(limit.beyond(round(abs(row[name]), _DIGITS), limit.amount)) for row in known]
        for name in (limit.measured, limit.true)
    )
    lacking = len(wanted) - len(known)
    return {"limit": limit.text, "not_measured": lacking} | _told(said, true, known)


def _told(said: Sequence[bool], true: Sequence[bool], rows: Sequence[Row]) -> dict[str, Any]:
    """Figures of answers, of which each row has one."""
    patients = patients_of(rows)

    def share(kind: bool) -> dict[str, Any]:
        """Of those that are of a kind, how many were said to be."""
        chosen = [n for n, there in enumerate(true) if there is kind]
        hits = [said[n] is kind for n in chosen]
        return as_record(estimate_share(hits, [patients[n] for n in chosen]))

    table = np.array([said, true], np.float64).T
    return {
        "sensitivity": share(True),
        "specificity": share(False),
        "kappa": as_record(estimate(table, kappa, patients)),
        "confusion": asdict(count_confusion(np.array(said, bool), np.array(true, bool))),
    }
