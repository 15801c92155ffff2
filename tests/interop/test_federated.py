"""Two hospitals train one network in NVFlare's simulator: what leaves them is weights, and the
average is that of what they sent.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from tests.bundles.tiny import write_tiny_dataset
from tests.conftest import ROOT

OWN = any((ROOT / ".federated-venv").glob("lib/python*/site-packages/nvflare"))
PYTHON = str(ROOT / ".federated-venv" / "bin" / "python") if OWN else sys.executable
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not OWN and importlib.util.find_spec("nvflare") is None,
        reason="NVFlare cannot run: neither .federated-venv nor this environment has nvflare",
    ),
]


def listeners(root: psutil.Process) -> set[str]:
    """Addresses at which a process and its children can be reached."""
    found = set()
    for process in [root, *root.children(recursive=True)]:
        try:
            ports = process.net_connections("inet")
        except psutil.Error:  # it has just ended
            continue
        found |= {port.laddr.ip for port in ports if port.status == psutil.CONN_LISTEN}
    return found


def simulate(out: Path, *words: str) -> tuple[int, str, set[str]]:
    """Exit code, what was said last on stderr, and all addresses that were listened at."""
    log, heard = out.parent / f"{out.name}.log", set()
    command = [PYTHON, str(ROOT / "examples" / "federated" / "job.py"), *words, "-o", str(out)]
    with log.open("w") as said:
        run = subprocess.Popen([*command, "--epoch_length", "1"], stdout=said, stderr=said)
        root = psutil.Process(run.pid)
        while run.poll() is None:
            heard |= listeners(root)
            time.sleep(0.5)
    return run.returncode, log.read_text().strip().splitlines()[-1], heard


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("hospitals")
    north, south = (write_tiny_dataset(folder / name) for name in ("north", "south"))
    rows = json.loads((south / "dataset.json").read_text())
    rows |= {"training": rows["validation"], "validation": rows["training"]}  # heads of their own
    (south / "dataset.json").write_text(json.dumps(rows))
    return [f"north={north}", f"south={south}"]


def test_two_sites_and_two_rounds_give_the_average_of_what_was_sent(
    hospitals: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said, heard = simulate(out, *hospitals, "--rounds", "2")
    assert (code, said) == (0, f"wrote {out / 'round_2.pt'}")
    assert heard == {"127.0.0.1"} and not (out / "round_3.pt").exists()
    rounds = [torch.load(out / f"round_{n}.pt", weights_only=True) for n in range(3)]
    for n in (1, 2):
        north, south = (
            torch.load(out / name / "sent" / f"round_{n}.pt", weights_only=True)
            for name in ("north", "south")
        )
        assert set(north) == set(south) == set(rounds[n]) == set(rounds[0])
        for name, average in rounds[n].items():
            if name.endswith("num_batches_tracked"):
                continue
            torch.testing.assert_close(average, (north[name] + south[name]) / 2)
        assert not torch.equal(north["0.weight"], south["0.weight"])
        assert not torch.equal(rounds[n]["0.weight"], rounds[n - 1]["0.weight"])
    kept = {path.name for path in (out / "north").iterdir()}
    assert kept == {"sent"}, "a site writes nothing but what it sent"


def test_a_site_that_drops_out_is_told_in_one_sentence(
    hospitals: list[str], tmp_path: Path
) -> None:
    lost = tmp_path / "lost"
    lost.mkdir()
    row = {"id": "1", "image": "gone.nii.gz", "label": "gone.nii.gz"}
    lists = {"label_mapping": {"1": "EDH"}, "training": [row], "validation": [row]}
    (lost / "dataset.json").write_text(json.dumps(lists))
    out = tmp_path / "out"
    code, said, _ = simulate(out, hospitals[0], f"south={lost}", "--rounds", "2")
    assert code == 3 and said.startswith("SITE_LOST: Round 1 of 2 ended without")
    assert not (out / "round_1.pt").exists() and (out / "round_0.pt").is_file()


@pytest.mark.parametrize(
    ("south", "words", "code", "said"),
    [
        ("north={data}", (), 2, "USAGE: Each site needs a name of its own"),
        ("so uth={data}", (), 2, "USAGE: Each site needs a name of its own"),
        ("south={data}/nowhere", (), 3, "NO_DATA_LIST: The data set of south has no dataset.json"),
        ("south={data}", ("--rounds", "0"), 2, "USAGE: --rounds must be 1 or more"),
        (
            *("south={data}", ("--initial_weights", "none.pt")),
            *(3, "BUNDLE_BROKEN: The --initial_weights are missing"),
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is(
    hospitals: list[str], tmp_path: Path, south: str, words: tuple[str, ...], code: int, said: str
) -> None:
    out, data = tmp_path / "out", hospitals[1].partition("=")[2]
    found, last, heard = simulate(out, hospitals[0], south.format(data=data), *words)
    assert found == code and last.startswith(said)
    assert not out.exists() and not heard


def test_another_trainings_rounds_are_not_mixed_with_ours(
    hospitals: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "round_1.pt").write_text("theirs")
    code, said, _ = simulate(out, *hospitals)
    assert code == 3 and said.startswith("OUTPUT_EXISTS")
    assert [path.name for path in out.iterdir()] == ["round_1.pt"]
