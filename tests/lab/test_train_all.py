"""Training on a lent machine: time is kept, nothing is left running, a later call goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lab.evaluate_synth import TEST_SEEDS
from lab.stages import State, run_side_by_side
from lab.train_all import BUNDLES, Session, _parser, cap_validation, count_heads, main
from tests.conftest import ROOT


def _python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


@pytest.mark.slow
def test_commands_run_side_by_side_and_what_is_late_is_ended_with_its_children(
    tmp_path: Path,
) -> None:
    sleep = "[sys.executable, '-S', '-c', 'import time; time.sleep(60)']"
    child = f"import subprocess, sys, time; p = subprocess.Popen({sleep})"
    commands = {
        "good": _python("print('said')"),
        "bad": _python("raise SystemExit(3)"),
        "late": _python(f"{child}; print(p.pid, flush=True); time.sleep(60)"),
    }
    start = time.monotonic()
    status = run_side_by_side(commands, seconds=3.0, logs=tmp_path, environment=dict(os.environ))
    assert status == {"good": 0, "bad": 3, "late": None} and time.monotonic() - start < 10.0
    assert (tmp_path / "good.log").read_text() == "said\n"
    pid = int((tmp_path / "late.log").read_text())
    for _ in range(50):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the late command's child still runs")


def test_heads_count_up_to_the_first_that_is_missing(tmp_path: Path) -> None:
    for seed in (7, 8, 10):
        (tmp_path / f"case_{seed:06d}").mkdir()
        (tmp_path / f"case_{seed:06d}" / "truth.json").touch()
    assert (count_heads(tmp_path, 7), count_heads(tmp_path, 10), count_heads(tmp_path, 0)) == (
        2,
        1,
        0,
    )


def test_validation_is_capped_and_no_head_is_lost(tmp_path: Path) -> None:
    listing = tmp_path / "dataset.json"
    listing.write_text(json.dumps({"name": "x", "training": [1, 2], "validation": [3, 4, 5]}))
    cap_validation(listing, 2)
    assert json.loads(listing.read_text()) == {
        "name": "x",
        "training": [1, 2, 3],
        "validation": [4, 5],
    }
    cap_validation(listing, 9)
    assert json.loads(listing.read_text())["validation"] == [4, 5]


def test_a_later_call_knows_what_was_done(tmp_path: Path) -> None:
    State({"heads": 12.5}, ["heads"]).write(tmp_path)
    assert State.read(tmp_path) == State({"heads": 12.5}, ["heads"])
    assert State.read(tmp_path / "other") == State()


def test_the_test_set_is_never_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(
            [
                "-o",
                str(tmp_path),
                "--minutes",
                "1",
                "--seed",
                str(TEST_SEEDS[0] - 1),
                "--heads",
                "2",
            ]
        )
    assert "the test set's" in capsys.readouterr().err


def test_a_training_that_was_cut_off_ships_the_average_of_its_checkpoint(tmp_path: Path) -> None:
    args = _parser().parse_args(
        ["-o", str(tmp_path / "out"), "--work", str(tmp_path), "--minutes", "1", "--device", "cpu"]
    )
    session = Session(args)
    assert session._weights(BUNDLES[0]) is None
    (tmp_path / BUNDLES[0]).mkdir()
    state = {
        "average": {"w": torch.ones(1, 2), "n": torch.tensor(3)},
        "network": {"w": torch.zeros(1, 2)},
    }
    state["budget"] = {"spent_s": 30.0}
    torch.save(state, tmp_path / BUNDLES[0] / "checkpoint.pt")
    found = torch.load(session._weights(BUNDLES[0]), weights_only=True)
    assert session._trained_s(BUNDLES[0]) == 30.0 and session._trained_s(BUNDLES[1]) == 0.0
    options = session._training(BUNDLES[0], budget_s=100.0)
    assert options[options.index("--max_minutes") + 1] == "1.333", (
        "30 s trained + 90 % of 100 s - 40 s for the start"
    )
    assert (
        found["w"].dtype == torch.float16
        and found["w"].tolist() == [[1.0, 1.0]]
        and found["n"] == 3
    )


def test_it_starts_without_any_package() -> None:
    command = [sys.executable, "-S", "-m", "lab.train_all", "--help"]
    assert (
        "--minutes"
        in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
