"""``monai-ich analyze --overwrite`` killed (kill -9) again and again: are the old or the new
results whole each time?

    python -m benchmarks.kills [--kills 50] [--minutes 120] [--seed 0] [--out benchmarks/kills.json]

Two synthetic heads, as zipped DICOM, are analyzed in turn with all that can be written (masks,
tables, report, scene, SEG, SR), into two folders: one holds nothing but results, in the other lies
a note of the user. A kill falls at any moment (a fifth), while files are being written (two
fifths), or while they take the place of the earlier ones (two fifths). After each: whose is every
file? Images and DICOM objects are compared byte for byte with those of a run that nobody disturbed,
tables and report by case, provenance by the times that stand in the measurements too. In the folder
with the note, where folders cannot be exchanged, files may be missing after a kill, but never of
two runs; a look by a command of ours makes them whole. The next run must sweep what the killed one
left, beside the results and in the temporary folder. Exit code 1 where anything of this fails.
"""

from __future__ import annotations

import argparse
import csv
import gc
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import nrrd
import torch

from monai_ich.analysis import analyze
from monai_ich.cli.app import main as cli
from monai_ich.io.output import settle
from monai_ich.synth.dataset import case_folder, design_case, write_dataset

NOTE = "note.txt"
SEEDS = {"head-1": 710_001, "head-2": 710_002}
OTHER = {"head-1": "head-2", "head-2": "head-1"}
MOMENTS = ("any", "writing", "writing", "placing", "placing")
TABLES = ("measurements.csv", "lesions.csv", "slices.csv")


class Run:
    """A command line of ours in a process of its own, which begins with all packages loaded.

    Args:
        words: after ``monai-ich``.
    """

    def __init__(self, words: list[str]) -> None:
        self._code: int | None = None
        self._pid = os.fork()
        if self._pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 1
            try:
                code = cli(words)
                gc.collect()
            finally:
                os._exit(code)  # the end of Python would remove what is the parent's

    def poll(self, how: int = os.WNOHANG) -> int | None:
        """Its exit code; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, how)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self) -> int | None:
        """Its exit code, once it has ended."""
        return self.poll(0)

    def kill(self) -> None:
        """``kill -9``, where it still runs."""
        if self.poll() is None:
            os.kill(self._pid, signal.SIGKILL)


@dataclass
class Kills:
    """What was seen.

    Args:
        root: where everything happens.
        known: digest of a file to whose it is; empty text where both have one alike.
        names: the files of each head.
        moments, held: how many kills fell where; what the folders held after them.
        faults: what must not be.
        took_s: a run that nobody disturbs.
    """

    root: Path
    known: dict[str, str] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    moments: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def temporary(self) -> Path:
        """The temporary folder of all runs."""
        return self.root / "tmp"

    def start(self, head: str, out: Path) -> Run:
        """An analysis, not waited for."""
        words = [
            "analyze",
            str(self.root / f"{head}.zip"),
            "-o",
            str(out),
            "--case-id",
            head,
            "--overwrite",
        ]
        return Run([*words, "--device", "cpu", "--dicom", "--scene"])

    def left(self, out: Path) -> set[Path]:
        """Scratch folders beside results and in the temporary folder."""
        return {
            *out.glob(".partial-*"),
            *out.parent.glob(".partial-*"),
            *self.temporary.glob("monai-ich-*"),
        }

    def whose(self, out: Path) -> dict[str, set[str]]:
        """Head to its files; those that are alike for both are counted to the one whose other files
        are there.
        """
        found: dict[str, set[str]] = {}
        for path in out.iterdir():
            if path.name != NOTE and not path.name.startswith("."):
                found.setdefault(_head_of(path, self.known), set()).add(path.name)
        alike = found.pop("", set())
        return {head: names | alike for head, names in found.items()} if len(found) == 1 else found


def digest(path: Path) -> str:
    """Of what a file holds, without the time of writing that NRRD and zip hold too."""
    content = path.read_bytes()
    if path.suffix == ".nrrd":
        content = nrrd.read(str(path))[0].tobytes()
    if path.suffix == ".mrb":
        with zipfile.ZipFile(path) as scene:
            content = b"".join(
                scene.read(name) for name in sorted(scene.namelist()) if name.endswith("CT.nii.gz")
            )
    return hashlib.sha256(content).hexdigest()


def _head_of(path: Path, known: dict[str, str]) -> str:
    """Whose a file is; ``damaged`` where it is nobody's."""
    if path.name in TABLES:
        rows = list(csv.DictReader(path.open()))
        return (
            {row["case_id"] for row in rows}.pop() if rows else known.get(digest(path), "damaged")
        )
    if path.name == "report.html":
        page = path.read_text()
        return next(
            (head for head in SEEDS if f"Head CT {head}" in page and page.endswith("</html>\n")),
            "damaged",
        )
    if path.name == "measurements.json":
        return str(json.loads(path.read_text())["case_id"])
    if path.name == "provenance.json":
        return _head_of_run(path)
    return known.get(digest(path), "damaged")


def _head_of_run(provenance: Path) -> str:
    """Of the run that measured, told by the times of its stages, which are never the same twice."""
    numbers = provenance.with_name("measurements.json")
    if not numbers.exists():
        return ""
    measured, seconds = (
        json.loads(numbers.read_text()),
        json.loads(provenance.read_text())["seconds"],
    )
    known = measured["provenance"]["seconds"]
    return str(measured["case_id"]) if {k: seconds.get(k) for k in known} == known else "damaged"


def make_heads(folder: Path) -> None:
    """Two synthetic heads in HU as ``head-1.zip`` and ``head-2.zip``, each a DICOM series."""
    drawn = [design_case(seed, pixels=96, thickness_mm=8.0) for seed in SEEDS.values()]
    cases = [
        replace(case, scanner=replace(case.scanner, window_hu=None, pictures=None))
        for case in drawn
    ]
    for _ in write_dataset(cases, folder / "heads", dicom=True, workers=1, thickness=False):
        pass
    for head, seed in SEEDS.items():
        shutil.make_archive(
            str(folder / head), "zip", folder / "heads" / case_folder(seed) / "dicom"
        )


def prepare(kills: Kills, heads: Path | None) -> tuple[Path, Path]:
    """The two heads, each analyzed undisturbed once; then the two folders with results of the
    first.
    """
    kills.temporary.mkdir()
    tempfile.tempdir = str(kills.temporary)
    if heads is None:
        make_heads(kills.root)
    for head in SEEDS if heads is not None else ():
        shutil.copyfile(heads / f"{head}.zip", kills.root / f"{head}.zip")
    everything = {"device": "cpu", "pipeline#dicom": True, "write#scene": True}
    for head in SEEDS:  # in this process, which loads all packages so
        out = kills.root / head / "out"
        start = time.monotonic()
        analyze(kills.root / f"{head}.zip", out, case_id=head, **everything)
        kills.took_s = time.monotonic() - start
        kills.names[head] = {path.name for path in out.iterdir()}
        found = {digest(path) for path in out.iterdir()}
        kills.known |= {one: "" if one in kills.known else head for one in found}
    alone, beside = kills.root / "alone" / "out", kills.root / "beside" / "out"
    for folder in (alone, beside):
        shutil.copytree(kills.root / "head-1" / "out", folder)
    (beside / NOTE).write_text("mine")
    return alone, beside


def wait_for(what: Callable[[], bool], run: Run, *, pause_s: float) -> None:
    """Until it comes, or the run has ended."""
    while not what() and run.poll() is None:
        time.sleep(pause_s)


def _writes(out: Path, before: set[Path]) -> bool:
    return any(any(base.glob("content/*")) for base in set(out.glob(".partial-*")) - before)


def _places(out: Path, before: set[Path]) -> bool:
    if set(out.parent.glob(".partial-*")) - before:
        return True
    return any((base / "earlier").exists() for base in set(out.glob(".partial-*")) - before)


def kill_once(kills: Kills, out: Path, moment: str, chance: random.Random) -> None:
    """One run onto the results of the other head, killed; what is there then is noted."""
    before = next(iter(kills.whose(out)))
    old_scratch = kills.left(out)
    run = kills.start(OTHER[before], out)
    if moment == "any":
        time.sleep(chance.uniform(0.0, kills.took_s))
    else:
        wait_for(lambda: _writes(out, old_scratch), run, pause_s=0.01)
        if old_scratch & kills.left(out):
            kills.faults.append("what a killed run had left was not swept by the next")
        if moment == "writing":
            time.sleep(chance.uniform(0.0, 0.2 * kills.took_s))
        else:
            wait_for(lambda: _places(out, old_scratch), run, pause_s=0.001)
            time.sleep(chance.choice((0.0, chance.uniform(0.0, 0.05))))
    killed = run.poll() is None
    run.kill()
    run.wait()
    kills.moments[moment if killed else "too late"] += 1
    look(kills, out, before)


def look(kills: Kills, out: Path, before: str) -> None:
    """Old or new, and whole?"""
    found = kills.whose(out)
    exchanged = not (out / NOTE).exists()
    if len(found) > 1 or "damaged" in found or (exchanged and not found):
        kills.faults.append(f"{out.parent.name}: files of {sorted(found)} side by side")
    if not exchanged and {head: found[head] for head in found} != {
        head: kills.names[head] for head in found
    }:
        kills.held["interrupted, made whole by a look"] += 1
    settle(out)
    found = kills.whose(out)
    if list(found.values()) != [kills.names[head] for head in found] or len(found) != 1:
        kills.faults.append(f"{out.parent.name}: neither the old nor the new results are whole")
    kills.held["old" if before in found else "new"] += 1


def main() -> int:
    """Print the figures and write the record; 1 where results were mixed or lost, or scratch was
    left.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=120.0, help="no kill after that")
    parser.add_argument(
        "--heads", type=Path, help="folder with head-1.zip and head-2.zip (default: they are made)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    chance = random.Random(args.seed)
    torch.set_num_threads(
        1
    )  # threads that wait do not outlive a fork: a child would wait for them forever
    with tempfile.TemporaryDirectory() as scratch:
        kills = Kills(Path(scratch))
        folders = prepare(kills, args.heads)
        start = time.monotonic()
        for number in range(args.kills):
            if time.monotonic() - start > 60 * args.minutes:
                break
            out = folders[number % 4 == 3]
            kill_once(kills, out, MOMENTS[number % len(MOMENTS)], chance)
            print(
                f"{number + 1} of {args.kills}",
                dict(kills.moments),
                dict(kills.held),
                kills.faults,
                flush=True,
            )
        for out in folders:
            head = OTHER[next(iter(kills.whose(out)))]
            if (
                kills.start(head, out).wait()
                or kills.whose(out) != {head: kills.names[head]}
                or kills.left(out)
            ):
                kills.faults.append(
                    "the last run, which nobody killed, did not end well or left something"
                )
        kills.faults += [] if (folders[1] / NOTE).read_text() == "mine" else ["the note is gone"]
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "seconds_undisturbed": round(kills.took_s, 1),
        "kills": kills.moments.total(),
        "moments": dict(kills.moments),
        "held": dict(kills.held),
        "faults": kills.faults,
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    for name, value in record.items():
        print(f"{name:22} {value}")
    return 1 if kills.faults else 0


if __name__ == "__main__":
    sys.exit(main())
