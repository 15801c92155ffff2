"""What is made of all heads: each figure, its target, its interval; whole and stratified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lab.evaluate_synth.case import Row
from monai_ich.agreement.bootstrap import (
    Statistic,
    mean,
    median,
    percentile_95,
    ratio,
    share_within,
)
from monai_ich.agreement.estimate import estimate
from monai_ich.core.labels import Subtype


@dataclass(frozen=True)
class Measure:
    """A figure over heads; a head counts where all `columns` have a value.

    Args:
        key: name in ``summary.json``.
        text: name in the table.
        columns: of ``cases.csv``; two for a `ratio`.
        statistic: from a table of these columns to the figure.
        target: None where there is none.
        at_least: whether the figure must reach the target; False: must not exceed it.
    """

    key: str
    text: str
    columns: tuple[str, ...]
    statistic: Statistic = mean
    target: float | None = None
    at_least: bool = True


@dataclass(frozen=True)
class Figure:
    """A measure as seen.

    Args:
        seen: None where no head counts.
        interval: 95 %, by bootstrap over heads.
        interval_reason: why there is none.
        n: heads that count (for lesions: lesions).
        passed: None where there is no target; False where nothing was seen.
    """

    key: str
    text: str
    target: float | None
    at_least: bool
    seen: float | None
    interval: tuple[float, float] | None
    interval_reason: str | None
    n: int
    passed: bool | None


_SUBTYPES = {
    Subtype.IPH: 0.88,
    Subtype.EDH: 0.75,
    Subtype.IVH: 0.72,
    Subtype.SDH: 0.70,
    Subtype.SAH: 0.50,
}
MEASURES: tuple[Measure, ...] = (
    Measure("analyzed", "heads analyzed, share", ("analyzed",), target=1.0),
    Measure("cavity", "cavity, Dice", ("dice_cavity",), target=0.99),
    Measure("true_blood_inside", "true blood inside " "the " "found " "cavity", ("label_inside_ml", "label_ml"), ratio, 0.995),
    Measure("found_blood_inside", "found blood inside " "the " "true " "cavity", ("found_inside_ml", "found_ml"), ratio, 0.995),
    Measure("truth_inside", "  (true blood inside " "the " "true " "cavity)", ("label_inside_true_ml", "label_ml"), ratio),
    Measure("hemispheres", "hemispheres, Dice, mean of both", ("dice_hemispheres",), target=0.97),
    Measure("ventricles", "ventricles, Dice", ("dice_ventricles",), target=0.90),
    Measure("left_ventricle", "  (left)", ("dice_LEFT_VENTRICLE",)),
    Measure("right_ventricle", "  (right)", ("dice_RIGHT_VENTRICLE",)),
    Measure("posterior_fossa", "posterior fossa, Dice", ("dice_posterior_fossa",)),
    *(Measure(s.name, f"{s.name}, Dice " "where " "present", (f"dice_{s.name}",), target=t) for s, t in _SUBTYPES.items()),
    Measure("blood", "any blood, Dice where present", ("dice_blood",), target=0.80),
    Measure("edema", "  (edema of 1 mL and more, Dice)", ("dice_EDEMA",)),
    Measure("sensitivity", "heads with " "hemorrhage " "that " "are " "called so", ("called_bled",), target=0.95),
    Measure("specificity", "heads without that are called so", ("called_clear",), target=0.95),
    Measure("lesions", "lesions over 1 mL found, share", ("lesions_found", "lesions"), ratio, 0.95),
    Measure("false_median_ml", "false blood without " "hemorrhage, " "median, mL", ("false_ml",), median, 0.0, False),
    Measure("false_95_ml", "false blood, 95th " "percentile, mL", ("false_ml",), percentile_95, 1.0, False),
    Measure("false_pieces", "  (false pieces a head)", ("false_pieces",)),
    Measure("shift_mae_mm", "midline shift, mean " "absolute " "error, mm", ("shift_error_mm",), mean, 0.6, False),
    Measure("shift_within_2_mm", "midline shift " "within 2 " "mm, " "share", ("shift_error_mm",), share_within(2.0), 0.90),
    Measure("shift_covered", "95 % intervals of " "the " "shift " "that " "hold " "the " "truth", ("shift_covered",), target=0.90),
    Measure("shift_measured", "  (shift measured where true masks allow it)", ("shift_measured",)),
    Measure("shift_on_truth_mm", "  (its error on true masks, mm)", ("shift_error_on_truth_mm",)),
    Measure("volume_percent", "total volume, median " "error, %", ("volume_error_percent",), median, 10.0, False),
    Measure("covered_least", "95 % intervals of " "the " "total " "volume " "that " "hold " "the " "truth", ("covered_any",), target=0.90),
    Measure("covered_most", "  (not too wide: at " "most)", ("covered_any",), target=0.98, at_least=False),
    *(Measure(f"covered_{s.name}", f"  ({s.name}: " "intervals " "that " "hold it)", (f"covered_{s.name}",)) for s in Subtype),
    Measure("label_volume_percent", "  (against label " "volume, %)", ("label_volume_error_percent",), median),
)  # fmt: skip
_OF_LESIONS = ("lesions",)  # their n counts the second column, not heads

Stratum = tuple[str, Callable[[Row], bool]]


def _between(column: str, low: float, high: float) -> Callable[[Row], bool]:
    def inside(row: Row) -> bool:
        value = row.get(column)
        return isinstance(value, float) and low <= value <= high

    return inside


_JUST_BELOW = 1e-9
SCANS: tuple[Stratum, ...] = (
    ("slices < 1.5 mm", _between("thickness_mm", 0.0, 1.5 - _JUST_BELOW)),
    ("1.5-3.5 mm", _between("thickness_mm", 1.5, 3.5)),
    ("> 3.5 mm", _between("thickness_mm", 3.5 + _JUST_BELOW, np.inf)),
    ("clipped to a window", _between("windowed", 1.0, 1.0)),
)
_VOLUMES_ML = (
    ("< 5 mL", 0.0, 5.0 - _JUST_BELOW),
    ("5-30 mL", 5.0, 30.0),
    ("> 30 mL", 30.0 + _JUST_BELOW, np.inf),
)


def see(measure: Measure, rows: Sequence[Row]) -> Figure:
    """One measure over the heads of `rows`."""
    values = [[row.get(column) for column in measure.columns] for row in rows]
    table = np.array([v for v in values if all(isinstance(x, float) for x in v)], np.float64)
    table = table.reshape(-1, len(measure.columns))
    found = estimate(table, measure.statistic)
    seen, n = found.value, found.n
    if measure.key in _OF_LESIONS:
        n = int(table[:, 1].sum())
    passed = None
    if measure.target is not None:
        passed = seen is not None and (
            seen >= measure.target if measure.at_least else seen <= measure.target
        )
    return Figure(
        measure.key,
        measure.text,
        measure.target,
        measure.at_least,
        seen,
        found.interval,
        found.interval_reason,
        n,
        passed,
    )


def summarize(rows: Sequence[Row]) -> dict[str, Any]:
    """All figures: whole, by kind of scan, and the Dice of each subtype by its true volume in the
    head.

    Heads that came as pictures of an unknown window count in figures of their own only.

    Args:
        rows: one a head, numbers as float; a row with an ``error`` counts as not analyzed and
            nowhere else.
    """
    marked = [row | {"analyzed": float(not row.get("error"))} for row in rows]
    whole = [row for row in marked if row["analyzed"]]
    pictured = [row for row in whole if row.get("pictured")]
    good = [row for row in whole if not row.get("pictured")]
    return {
        "figures": [asdict(see(m, marked if m.key == "analyzed" else good)) for m in MEASURES],
        "by_scan": {
            **{
                name: [asdict(see(m, [r for r in good if holds(r)])) for m in MEASURES[1:]]
                for name, holds in SCANS
            },
            "8-bit pictures": [asdict(see(m, pictured)) for m in MEASURES[1:]],
        },
        "by_volume": {
            name: {
                label: asdict(
                    see(
                        Measure(name, f"{name} {label}", (f"dice_{name}",)),
                        _sized(good, column, low, high),
                    )
                )
                for label, low, high in _VOLUMES_ML
            }
            for name, column in [
                *((s.name, f"true_ml_{s.name}") for s in Subtype),
                ("blood", "true_ml"),
            ]
        },
        "errors": {f"{row['seed']:.0f}": row["error"] for row in marked if row.get("error")},
        "median_seconds": {
            name.removeprefix("seconds_"): round(
                float(np.median([r[name] for r in good if name in r])), 3
            )
            for name in sorted({k for r in good for k in r if k.startswith("seconds_")})
        },
    }


def _sized(rows: Sequence[Row], column: str, low: float, high: float) -> list[Row]:
    return [row for row in rows if _between(column, low, high)(row)]
