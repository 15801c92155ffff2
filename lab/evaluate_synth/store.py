"""``cases.csv``: one row a head, written as each is done, so that a stopped evaluation goes on
where it was.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from pathlib import Path

from lab.evaluate_synth.case import Row
from monai_ich.bundle import find_bundle
from monai_ich.core.calibration import ANY
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import sha256_of
from monai_ich.core.shipped import code_digest
from monai_ich.io.output import renamed

_BY_SUBTYPE = ("true_ml", "label_ml", "found_ml", "dice")
_WORDS = ("error", "shift_toward", "shift_reason", "setup")
COLUMNS = (
    *("seed", "error", "thickness_mm", "slice_mm", "tilt_deg", "noise_hu", "windowed", "pictured"),
    *(
        "true_ml",
        "label_ml",
        "found_ml",
        "dice_blood",
        "false_ml",
        "false_pieces",
        "lesions",
        "lesions_found",
    ),
    *("volume_error_percent", "label_volume_error_percent"),
    *("found_inside_ml", "label_inside_ml", "label_inside_true_ml"),
    *(f"{kind}_{s.name}" for kind in _BY_SUBTYPE for s in Subtype),
    *("dice_EDEMA", "called_bled", "called_clear"),
    *(f"covered_{name}" for name in (*Subtype.__members__, ANY)),
    *(
        "dice_cavity",
        "dice_hemispheres",
        "dice_ventricles",
        "dice_LEFT_VENTRICLE",
        "dice_RIGHT_VENTRICLE",
    ),
    "dice_posterior_fossa",
    *("true_shift_mm", "shift_mm", "shift_toward", "shift_reason", "shift_measured"),
    *("shift_error_mm", "shift_covered", "shift_error_on_truth_mm"),
    *(
        f"seconds_{stage}"
        for stage in ("synthesis", "anatomy", "hemorrhage", "measure", "comparison")
    ),
    "setup",  # last: a row that was cut off has none
)


def setup_digest(anatomy_weights: str | None = None, ich_weights: str | None = None) -> str:
    """Short sha256 of what decides a row: weights, bundle configs, and the code that makes,
    analyzes and compares.

    Args:
        anatomy_weights, ich_weights: instead of the shipped ones.
    """
    anatomy, ich = find_bundle("head_ct_anatomy"), find_bundle("ich_segmentation")
    weights = [Path(anatomy_weights or anatomy / "models" / "model.pt")]
    weights.append(Path(ich_weights or ich / "models" / "model.pt"))
    configs = [
        anatomy / "configs" / "inference.yaml",
        *(ich / "configs" / f"{n}.yaml" for n in ("inference", "pipeline")),
    ]
    compares = Path(__file__).parent.glob("*.py")
    whole = code_digest() + "".join(
        sha256_of(path) for path in [*weights, *configs, *sorted(compares)]
    )
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def read_rows(path: Path, setup: str) -> dict[int, Row]:
    """Finished rows of one setup by seed, numbers as float; left out: of another setup, with an
    error, cut off.
    """
    if not path.is_file():
        return {}
    rows: dict[int, Row] = {}
    with path.open(newline="") as stream:
        for line in csv.DictReader(stream):
            if line.get("setup") == setup and not line.get("error"):
                rows[int(line["seed"])] = {
                    name: _value(name, text) for name, text in line.items() if name in COLUMNS
                }
    return rows


def _value(name: str, text: str) -> float | str | None:
    if text == "":
        return None
    return text if name in _WORDS else float(text)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Replace the file: header and rows, written aside first."""
    with renamed(path) as aside, aside.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rounded(row) for row in rows)


def append_row(path: Path, row: Row) -> None:
    """Add one row to a file that `write_rows` began."""
    with path.open("a", newline="") as stream:
        csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n").writerow(_rounded(row))


def _rounded(row: Row) -> Row:
    return {
        name: f"{value:.7g}" if isinstance(value, float) else value for name, value in row.items()
    }
