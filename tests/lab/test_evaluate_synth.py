"""The figures of the synthetic test set: arithmetic on paper, then two heads end to end."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest

from lab.evaluate_synth import PICTURE_SEEDS, TEST_SEEDS, __main__, case
from lab.evaluate_synth.case import Job, Row, compare, head_of, run_case
from lab.evaluate_synth.measures import MEASURES, see, summarize
from lab.evaluate_synth.store import COLUMNS, append_row, read_rows, setup_digest, write_rows
from lab.evaluate_synth.table import as_text
from monai_ich.core.exam import MidlineShift
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.synth.draw import draw_case
from monai_ich.synth.generate import SyntheticScan, Truth

GRID = Geometry((4, 4, 4), np.diag([10.0, 10.0, 10.0, 1.0]))  # a voxel is 1 mL
HALF, NO_SHIFT = (
    (slice(0, 2),),
    MidlineShift(Measurement("midline_shift", None, "mm", "midline", "x", reason="tiny")),
)


def _labels(kind: type, *parts: tuple[int, tuple[slice | int, ...]]) -> LabelMap:
    voxels = np.zeros(GRID.shape, np.uint8)
    for value, box in parts:
        voxels[box] = value
    return LabelMap(voxels, GRID, kind)


def _truth(
    labels: LabelMap, anatomy: LabelMap, true_ml: dict[str, float] | None = None
) -> SyntheticScan:
    exact = {s.name: labels.volume_ml(s) for s in Subtype} | (true_ml or {})
    ct = CTVolume(np.zeros(GRID.shape, np.float32), GRID)
    numbers = Truth(exact, 0.0, 0.0, 64.0, {})
    edema, bone = Mask(np.zeros(GRID.shape, bool), GRID), np.zeros(GRID.shape, np.float32)
    return SyntheticScan(draw_case(0), ct, labels, edema, anatomy, numbers, bone)


ANATOMY = _labels(
    Anatomy, (1, HALF), (2, (slice(2, 4),)), (3, (1, 1, 1)), (4, (2, 1, 1))
)  # 31 + 31 + 1 + 1 voxels


def test_perfect_masks_are_perfect() -> None:
    labels = _labels(Subtype, (Subtype.SDH, (0, 0)))
    row = compare(_truth(labels, ANATOMY), labels, ANATOMY, NO_SHIFT)
    whole = (
        "dice_cavity",
        "dice_hemispheres",
        "dice_ventricles",
        "dice_posterior_fossa",
        "dice_blood",
        "dice_SDH",
    )
    assert [row[name] for name in whole] == [1.0] * 6
    assert (row["lesions"], row["lesions_found"], row["false_pieces"]) == (1, 1, 0)
    assert row["volume_error_percent"] == row["label_volume_error_percent"] == 0.0
    assert row["dice_EDH"] is None and row["false_ml"] is None, "no EDH is there, and blood is"
    assert row["shift_error_mm"] is None and row["shift_reason"] == "tiny"


def test_exchanged_sides_leave_cavity_and_ventricles_right_and_hemispheres_wrong() -> None:
    mirrored = LabelMap(np.array([0, 2, 1, 4, 3, 5], np.uint8)[ANATOMY.voxels], GRID, Anatomy)
    row = compare(_truth(_labels(Subtype), ANATOMY), _labels(Subtype), mirrored, NO_SHIFT)
    assert (row["dice_cavity"], row["dice_ventricles"]) == (1.0, 1.0)
    assert (row["dice_hemispheres"], row["dice_LEFT_VENTRICLE"], row["dice_RIGHT_VENTRICLE"]) == (
        0.0,
        0.0,
        0.0,
    )


def test_a_wrong_subtype_is_right_as_blood() -> None:
    truth, found = _labels(Subtype, (Subtype.SDH, (0, 0))), _labels(Subtype, (Subtype.EDH, (0, 0)))
    row = compare(_truth(truth, ANATOMY), found, ANATOMY, NO_SHIFT)
    assert (row["dice_blood"], row["dice_SDH"], row["dice_EDH"]) == (1.0, 0.0, None)


def test_volumes_and_cavity_shares_on_paper() -> None:
    inside = _labels(Anatomy, (1, (slice(0, 2),)))  # half of the image
    truth = _labels(Subtype, (Subtype.IPH, (slice(1, 3), 0)))  # 8 mL, 4 inside
    found = _labels(Subtype, (Subtype.IPH, (slice(1, 4), 0)))  # 12 mL, 4 inside, 8 shared
    row = compare(_truth(truth, inside, {"IPH": 10.0}), found, inside, NO_SHIFT)
    assert row["dice_IPH"] == row["dice_blood"] == pytest.approx(16 / 20)
    names = ("label_ml", "label_inside_ml", "label_inside_true_ml", "found_ml", "found_inside_ml")
    assert [row[name] for name in names] == pytest.approx([8.0, 4.0, 4.0, 12.0, 4.0])
    assert row["volume_error_percent"] == pytest.approx(20.0), "12 mL found, exactly 10 are there"
    assert row["label_volume_error_percent"] == pytest.approx(50.0)


def test_false_blood_counts_only_where_there_is_none_at_all() -> None:
    found = _labels(Subtype, (Subtype.SAH, (0, 0, 0)))
    row = compare(_truth(_labels(Subtype), ANATOMY), found, ANATOMY, NO_SHIFT)
    assert row["false_ml"] == pytest.approx(1.0)
    assert (row["dice_blood"], row["volume_error_percent"], row["false_pieces"]) == (None, None, 1)
    row = compare(_truth(_labels(Subtype), ANATOMY, {"SAH": 0.2}), found, ANATOMY, NO_SHIFT)
    assert row["false_ml"] is None and row["volume_error_percent"] == pytest.approx(400.0)


def _row(seed: int, **figures: float | str | None) -> Row:
    return {"seed": float(seed), "thickness_mm": 5.0, "windowed": 0.0, "true_ml": 4.0, **figures}


def _figure(key: str, rows: list[Row]) -> tuple[float | None, int, bool | None]:
    figure = see(next(m for m in MEASURES if m.key == key), rows)
    return figure.seen, figure.n, figure.passed


def test_figures_and_verdicts_on_paper() -> None:
    rows = [
        _row(1, dice_SDH=0.8, lesions=4.0, lesions_found=3.0, false_ml=None, shift_error_mm=0.5),
        _row(2, dice_SDH=0.6, lesions=0.0, lesions_found=0.0, false_ml=3.0, shift_error_mm=3.5),
        _row(3, dice_SDH=None, lesions=4.0, lesions_found=4.0, false_ml=0.0, shift_error_mm=None),
    ]
    assert _figure("SDH", rows) == (pytest.approx(0.7), 2, True), "reaching the target is enough"
    assert _figure("lesions", rows) == (7 / 8, 8, False)
    assert _figure("false_median_ml", rows) == (1.5, 2, False)
    assert _figure("shift_mae_mm", rows) == (2.0, 2, False)
    assert _figure("shift_within_2_mm", rows) == (0.5, 2, False)
    assert _figure("EDH", rows) == (None, 0, False), "what was not seen has not passed"
    assert _figure("posterior_fossa", [_row(1, dice_posterior_fossa=0.1)]) == (0.1, 1, None), (
        "no target, no verdict"
    )


def test_a_failed_head_is_counted_and_named_and_figures_are_stratified() -> None:
    rows = [
        _row(1, dice_SDH=0.8, true_ml_SDH=4.9, dice_cavity=0.99),
        _row(2, dice_SDH=0.4, true_ml_SDH=30.0, dice_cavity=0.97) | {"thickness_mm": 1.0},
        _row(3, error="InputError: NO_HEAD"),
    ]
    found = summarize(rows)
    figures = {f["key"]: f for f in found["figures"]}
    assert (
        figures["analyzed"]["seen"] == pytest.approx(2 / 3)
        and figures["analyzed"]["passed"] is False
    )
    assert figures["cavity"]["n"] == 2 and found["errors"] == {"3": "InputError: NO_HEAD"}
    by_volume = {label: (f["seen"], f["n"]) for label, f in found["by_volume"]["SDH"].items()}
    assert by_volume == {"< 5 mL": (0.8, 1), "5-30 mL": (0.4, 1), "> 30 mL": (None, 0)}
    thin = {f["key"]: f["seen"] for f in found["by_scan"]["slices < 1.5 mm"]}
    assert thin["cavity"] == 0.97
    text = as_text(found)
    assert "FAIL" in text and "head 3 failed" in text
    json.dumps(found, allow_nan=False)


def test_finished_rows_come_back_and_no_others_do(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_rows(path, [])
    append_row(
        path, {"seed": 1, "true_ml": 1 / 3, "dice_EDH": None, "shift_toward": "left", "setup": "a"}
    )
    append_row(path, {"seed": 2, "true_ml": 2.0, "setup": "b"})
    append_row(path, {"seed": 3, "error": "ValueError: x", "setup": "a"})
    with path.open("a") as stream:
        stream.write("4,,5.0,")  # cut off
    found = read_rows(path, "a")
    assert list(found) == [1]
    write_rows(path, found.values())
    assert path.read_text().splitlines()[1].startswith("1,,") and read_rows(path, "a") == found
    assert (
        found[1]["true_ml"] == pytest.approx(1 / 3, rel=1e-6) and found[1]["shift_toward"] == "left"
    )
    assert found[1]["dice_EDH"] is None and read_rows(tmp_path / "none.csv", "a") == {}


def test_other_weights_are_another_setup(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights")
    assert setup_digest() == setup_digest() != setup_digest(ich_weights=str(tmp_path / "w.pt"))


def test_an_error_is_a_row_and_no_head_is_begun_after_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(case: object) -> None:
        raise ValueError("no such head")

    monkeypatch.setattr(case, "synthesize", fail)
    assert run_case(Job(5)) == {"seed": 5, "error": "ValueError: no such head"}
    assert run_case(Job(5, until=time.time() - 1.0)) is None


def test_the_test_set_is_fixed_and_far_from_training() -> None:
    assert (len(TEST_SEEDS), TEST_SEEDS[0], TEST_SEEDS[-1]) == (200, 900_000, 900_199)
    assert (len(PICTURE_SEEDS), PICTURE_SEEDS[0]) == (100, 900_200)


def test_heads_of_an_unknown_window_are_made_so_and_have_figures_of_their_own() -> None:
    assert all(head_of(seed).scanner.pictures is None for seed in TEST_SEEDS[:40])
    assert all(head_of(seed).scanner.pictures is not None for seed in PICTURE_SEEDS[:10])
    rows = [_row(1, dice_SDH=0.8), _row(2, dice_SDH=0.2, pictured=1.0)]
    found = summarize(rows)
    assert next(f["seen"] for f in found["figures"] if f["key"] == "SDH") == 0.8
    assert next(f["seen"] for f in found["by_scan"]["8-bit pictures"] if f["key"] == "SDH") == 0.2


def test_exams_are_called_rightly_or_not() -> None:
    rows = [_row(1, called_bled=1.0), _row(2, called_bled=0.0), _row(3, called_clear=1.0)]
    assert _figure("sensitivity", rows) == (0.5, 2, False) and _figure("specificity", rows) == (
        1.0,
        1,
        True,
    )


@pytest.mark.slow
def test_two_heads_end_to_end_and_no_second_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "-o",
        str(tmp_path),
        "--cases",
        "2",
        "--pictures",
        "0",
        "--workers",
        "1",
        "--device",
        "cpu",
    ]
    assert __main__.main(options) == 0
    assert "cavity, Dice" in capsys.readouterr().out
    with (tmp_path / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["seed"] for row in rows] == ["900000", "900001"] and list(rows[0]) == list(COLUMNS)
    assert not any(row["error"] for row in rows)
    assert all(float(row["dice_cavity"]) > 0.8 for row in rows), "shipped weights know a head"
    written = (tmp_path / "cases.csv").read_text()
    start = time.perf_counter()
    assert __main__.main([*options, "--strict"]) == 1, "two heads do not hold every subtype"
    assert time.perf_counter() - start < 3.0 and (tmp_path / "cases.csv").read_text() == written
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["heads"], summary["of"], summary["errors"]) == (2, 2, {})
