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
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    code, said, _ = simulate(out, hospitals[0], f"south={tmp_path / 'empty'}", "--rounds", "2")
    assert code == 3 and said.startswith("SITE_LOST: Round 1 of 2 ended without")
    assert not (out / "round_1.pt").exists() and (out / "round_0.pt").is_file()
