"""The figures of an evaluation: from which columns of ``cases.csv``, over which cases, how."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from monai_ich.agreement.amounts import (
    bias,
    concordance,
    intraclass_correlation,
    lower_limit,
    mean_absolute_error,
    median_absolute_error,
    upper_limit,
)
from monai_ich.agreement.bootstrap import Statistic, mean, ratio, share_within
from monai_ich.agreement.estimate import Estimate, estimate
from monai_ich.evaluate.masks import Row


@dataclass(frozen=True)
class Measure:
    """A figure over cases; a case counts where all `columns` have a value.

    Args:
        key: its name.
        columns: of ``cases.csv``, without the finding before them.
        statistic: from a table of these columns to the figure.
        above_0: columns of which at least one must be above 0; none: all cases count.
    """

    key: str
    columns: tuple[str, ...]
    statistic: Statistic = mean
    above_0: tuple[str, ...] = ()


def _agreement(
    before: str, unit: str, pair: tuple[str, str], above_0: tuple[str, ...] = ()
) -> tuple[Measure, ...]:
    """How measured amounts agree with true ones."""
    statistics = {
        f"bias_{unit}": bias,
        f"lower_limit_{unit}": lower_limit,
        f"upper_limit_{unit}": upper_limit,
        f"mean_absolute_error_{unit}": mean_absolute_error,
        f"median_absolute_error_{unit}": median_absolute_error,
        "concordance": concordance,
        "icc": intraclass_correlation,
    }
    return tuple(Measure(before + key, pair, one, above_0) for key, one in statistics.items())


_VOLUMES = ("volume_ml", "reference_ml")
_PRESENT = ("reference_ml",)
MASKS = (
    Measure("dice", ("dice",)),
    Measure("dice_where_present", ("dice",), above_0=_PRESENT),
    Measure("surface_dice", ("surface_dice",)),
    Measure("surface_dice_where_present", ("surface_dice",), above_0=_PRESENT),
    Measure("hd95_mm_where_both", ("hd95_mm",), above_0=_PRESENT),
    Measure("relative_volume_difference_where_present", ("volume_difference",), above_0=_PRESENT),
    Measure("lesion_sensitivity", ("lesions_found", "lesions"), ratio),
    Measure("lesion_precision", ("true_lesions", "predicted_lesions"), ratio),
    Measure("false_lesions", ("false_lesions",)),
    *_agreement("volume_", "ml", _VOLUMES, _VOLUMES),
)
_SHIFTS = ("midline_shift_mm", "reference_shift_along_mm")
SHIFT = (
    *_agreement("", "mm", _SHIFTS),
    Measure("within_1_mm", ("midline_shift_error_mm",), share_within(1.0)),
)
THICKNESS = _agreement("", "mm", ("thickness_mm", "reference_thickness_mm"))


def see(measure: Measure, rows: Sequence[Row], prefix: str = "") -> dict[str, Any]:
    """One measure: value, 95 % interval, how many cases count; a reason where one is lacking.

    Args:
        measure: which.
        rows: as `evaluate_case` gives them.
        prefix: of the columns' names: ``"SDH_"``.
    """
    kept = [
        row
        for row in rows
        if not any(row.get(prefix + name) is None for name in measure.columns)
        and (not measure.above_0 or any(row[prefix + name] > 0 for name in measure.above_0))
    ]
    values = [[row[prefix + name] for name in measure.columns] for row in kept]
    table = np.array(values, np.float64).reshape(-1, len(measure.columns))
    return as_record(estimate(table, measure.statistic, patients_of(kept)))


def patients_of(rows: Sequence[Row]) -> list[Hashable]:
    """Of each row the patient; a row without one is of a patient of its own."""
    return [row.get("patient", number) for number, row in enumerate(rows)]


def as_record(found: Estimate) -> dict[str, Any]:
    """For ``summary.json``: reasons only where something is lacking."""
    record = asdict(found)
    return {k: v for k, v in record.items() if v is not None or not k.endswith("reason")}
