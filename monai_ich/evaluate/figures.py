"""What is made of all cases: each figure with its interval; whole and by slice thickness, lesion
size and site.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.agreement.bland_altman import bias, concordance, lower_limit, upper_limit
from monai_ich.agreement.bootstrap import Statistic, bootstrap_interval, mean, ratio, share_within
from monai_ich.agreement.detection import auc, count_confusion, f1, wilson_interval
from monai_ich.evaluate.case import Row
from monai_ich.manifest.labels import FINDINGS


@dataclass(frozen=True)
class Measure:
    """A figure over cases; a case counts where all `columns` have a value.

    Args:
        key: its name.
        columns: of ``cases.csv``, without the finding before them.
        statistic: from a table of these columns to the figure.
        only: a column that must be above 0, for figures over the cases whose reference holds the
            finding.
    """

    key: str
    columns: tuple[str, ...]
    statistic: Statistic = mean
    only: str | None = None


_PAIR = ("volume_ml", "reference_ml")
MASKS = (
    Measure("dice", ("dice",)),
    Measure("dice_where_present", ("dice",), only="reference_ml"),
    Measure("surface_dice", ("surface_dice",)),
    Measure("surface_dice_where_present", ("surface_dice",), only="reference_ml"),
    Measure("hd95_mm_where_present", ("hd95_mm",), only="reference_ml"),
    Measure(
        "relative_volume_difference_where_present", ("volume_difference",), only="reference_ml"
    ),
    Measure("lesion_sensitivity", ("lesions_found", "lesions"), ratio),
    Measure("false_lesions", ("false_lesions",)),
    Measure("volume_bias_ml", _PAIR, bias),
    Measure("volume_lower_limit_ml", _PAIR, lower_limit),
    Measure("volume_upper_limit_ml", _PAIR, upper_limit),
    Measure("volume_concordance", _PAIR, concordance),
)
SHIFT = (
    Measure("mean_absolute_error_mm", ("midline_shift_error_mm",)),
    Measure("within_1_mm", ("midline_shift_error_mm",), share_within(1.0)),
)
Holds = Callable[[Row], bool]


def see(measure: Measure, rows: Sequence[Row], finding: str = "") -> dict[str, Any]:
    """One measure: value, 95 % interval by bootstrap over cases, how many cases count; a reason
    where it has no value.

    Args:
        measure: which.
        rows: as `evaluate_case` gives them.
        finding: before the names of the columns.
    """
    table = _table(rows, finding, measure.columns, measure.only)
    if measure.statistic is ratio:
        table = table[table[:, 1] > 0]
    value = float(measure.statistic(table)) if len(table) else np.nan
    if not np.isfinite(value):
        return _none(len(table))
    return {
        "value": value,
        "interval": bootstrap_interval(table, measure.statistic),
        "n": len(table),
    }


def _none(n: int) -> dict[str, Any]:
    reason = "too few cases, or all of one kind" if n else "no case counts"
    return {"value": None, "interval": None, "n": n, "reason": reason}


def _table(
    rows: Sequence[Row], finding: str, columns: Sequence[str], only: str | None = None
) -> NDArray[np.float64]:
    """``(cases, columns)``, the cases that have a value in each."""
    prefix = f"{finding}_" if finding else ""
    kept = [r for r in rows if only is None or (r.get(prefix + only) or 0) > 0]
    values = [[row.get(prefix + column) for column in columns] for row in kept]
    return np.array([v for v in values if None not in v], np.float64).reshape(-1, len(columns))


def see_exams(rows: Sequence[Row], finding: str) -> dict[str, Any]:
    """AUC, sensitivity, specificity, F1 and confusion matrix of one finding.

    The score of the AUC is the probability where every exam has one, else the volume.
    """
    known = [row for row in rows if row.get(f"{finding}_reference") is not None]
    with_probability = bool(known) and all(
        row[f"{finding}_probability"] is not None for row in known
    )
    score = "probability" if with_probability else "volume_ml"
    said, true = _table(known, finding, ("predicted", "reference")).T > 0
    matrix = count_confusion(said, true)
    return {
        "auc": see(Measure("auc", (score, "reference"), auc), known, finding) | {"score": score},
        "sensitivity": _share(
            matrix.true_positives, matrix.true_positives + matrix.false_negatives
        ),
        "specificity": _share(
            matrix.true_negatives, matrix.true_negatives + matrix.false_positives
        ),
        "f1": see(Measure("f1", ("predicted", "reference"), f1), known, finding),
        "confusion": asdict(matrix),
    }


def _share(successes: int, trials: int) -> dict[str, Any]:
    if not trials:
        return _none(0)
    return {
        "value": successes / trials,
        "interval": wilson_interval(successes, trials),
        "n": trials,
    }


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """All figures of some cases: ``masks`` and ``exams`` by finding, ``midline_shift``."""
    with_masks = [name for name in FINDINGS if any(f"{name}_dice" in row for row in rows)]
    shift: dict[str, Any] = {m.key: see(m, rows) for m in SHIFT}
    wanted = [row for row in rows if row["reference_midline_shift_mm"] is not None]
    shift["not_measured"] = sum(row["midline_shift_mm"] is None for row in wanted)
    return {
        "cases": len(rows),
        "masks": {name: {m.key: see(m, rows, name) for m in MASKS} for name in with_masks},
        "exams": {name: see_exams(rows, name) for name in FINDINGS if _known(rows, name)},
        "midline_shift": shift if wanted else None,
    }


def _known(rows: Sequence[Row], name: str) -> bool:
    return any(row[f"{name}_reference"] is not None for row in rows)


def _between(column: str, low: float, high: float) -> Holds:
    """Whether low <= value < high."""
    return lambda row: row.get(column) is not None and low <= row[column] < high


def _at(site: str) -> Holds:
    return lambda row: (row["site"] or "unknown") == site


_JUST_ABOVE = 1e-6
THICKNESSES_MM = (
    ("< 1.5 mm", 0.0, 1.5),
    ("1.5 to 3.5 mm", 1.5, 3.5 + _JUST_ABOVE),
    ("> 3.5 mm", 3.5 + _JUST_ABOVE, np.inf),
)
SIZES_ML = (
    ("< 1 mL", _JUST_ABOVE, 1.0),
    ("1 to 5 mL", 1.0, 5.0),
    ("5 to 30 mL", 5.0, 30.0 + _JUST_ABOVE),
    ("> 30 mL", 30.0 + _JUST_ABOVE, np.inf),
)


def stratify(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The figures by slice thickness, by the largest lesion of the reference mask, and by site; no
    empty stratum.
    """
    sites = sorted({row["site"] or "unknown" for row in rows})
    kinds: Mapping[str, Sequence[tuple[str, Holds]]] = {
        "slice_thickness": [
            (text, _between("slice_thickness_mm", a, b)) for text, a, b in THICKNESSES_MM
        ],
        "largest_lesion": [("no lesion", _between("largest_lesion_ml", 0.0, _JUST_ABOVE))]
        + [(text, _between("largest_lesion_ml", a, b)) for text, a, b in SIZES_ML],
        "site": [(site, _at(site)) for site in sites],
    }
    chosen = {
        kind: {text: [row for row in rows if holds(row)] for text, holds in strata}
        for kind, strata in kinds.items()
    }
    return {
        kind: {text: summarize(part) for text, part in strata.items() if part}
        for kind, strata in chosen.items()
    }


def lesions_by_size(lesions: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """By finding and the lesion's own size: the share of the reference's lesions that is found,
    Wilson's interval.
    """
    real = [x for x in lesions if x["in"] == "reference"]
    found: dict[str, dict[str, Any]] = {}
    for name in FINDINGS:
        for text, low, high in SIZES_ML:
            hits = [
                x["matched"] for x in real if x["finding"] == name and low <= x["volume_ml"] < high
            ]
            if hits:
                found.setdefault(name, {})[text] = _share(sum(hits), len(hits))
    return found
