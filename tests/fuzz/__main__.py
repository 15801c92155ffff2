"""Damaged and hostile inputs for every reader, until the time is up: ``python -m tests.fuzz
--minutes 10``.

Each must give a result or a refusal with a code and one sentence, within 10 s and 2 GB, and leave
nothing half-written. An input follows from seed, kind and number, so that ``--only KIND:NUMBER``
makes it again; a next run goes on where the last one stopped. What was met is in
``outcomes.jsonl``, inputs that fail are kept in ``found/``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.kinds import KINDS
from tests.fuzz.seeds import write_seeds
from tests.fuzz.worker import LONGEST_WALL_S

ROOT = Path(__file__).resolve().parents[2]
GOOD, BAD = ("result", "refused"), ("traceback", "unclean", "slow", "large", "died")


class Worker:
    """The process that meets the inputs, started anew where it died or hangs.

    Args:
        out: folder of the run.
        seed: of all inputs.
    """

    def __init__(self, out: Path, seed: int) -> None:
        self._out, self._seed = out, seed
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def meet(self, kind: str, number: int) -> dict[str, Any]:
        """What became of one input; see `tests.fuzz.worker.meet`, and ``died``."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{kind} {number}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], LONGEST_WALL_S + 30)
        line = process.stdout.readline() if ready else ""
        if line:
            return dict(json.loads(line))
        self._end()
        said = f"exit status {process.returncode}"
        return {
            "kind": kind,
            "number": number,
            "outcome": "died" if ready else "slow",
            "said": said,
        }

    def _start(self) -> subprocess.Popen[str]:
        words = [
            sys.executable,
            "-m",
            "tests.fuzz.worker",
            str(self._out / "sound"),
            str(self._out / "work"),
        ]
        log = (self._out / "worker.log").open("a")
        self._process = subprocess.Popen(
            [*words, str(self._seed)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the worker did not start: see {self._out / 'worker.log'}")
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


def met_before(out: Path) -> list[dict[str, Any]]:
    """Outcomes of earlier runs; a line that was cut short counts as not met."""
    path = out / "outcomes.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def fuzz(
    out: Path, kinds: Sequence[str], *, seconds: float, seed: int, least: int = 1
) -> Iterator[dict[str, Any]]:
    """Meet inputs of each kind in turn until the time is up, and at least so many of each."""
    write_seeds(out / "sound")
    following = {kind: 0 for kind in kinds}
    for row in met_before(out):
        following[row["kind"]] = max(following.get(row["kind"], 0), row["number"] + 1)
    end = time.monotonic() + seconds
    with Worker(out, seed) as worker, (out / "outcomes.jsonl").open("a") as log:
        log.write("\n")  # a line that was cut short ends here
        for turn in itertools.count():
            for kind in kinds:
                if turn >= least and time.monotonic() > end:
                    return
                row = worker.meet(kind, following[kind])
                following[kind] += 1
                if row["outcome"] in BAD:
                    kept = out / "found" / f"{kind}-{row['number']}"
                    shutil.copytree(out / "work" / "case", kept, dirs_exist_ok=True)
                log.write(json.dumps(row) + "\n")
                log.flush()
                yield row


def table(rows: Sequence[dict[str, Any]]) -> str:
    """How many of each kind and outcome."""
    counts = Counter((row["kind"], row["outcome"]) for row in rows)
    columns = (*GOOD, *BAD)
    lines = [
        f"{'kind':12}"
        + "".join(f"{name:>11}" for name in columns)
        + f"{'slowest, s':>12}{'most, GB':>10}"
    ]
    for kind in sorted({row["kind"] for row in rows}):
        own = [row for row in rows if row["kind"] == kind]
        slowest = max(row.get("seconds", 0.0) for row in own)
        most = max(row.get("peak_gb", 0.0) for row in own)
        cells = "".join(f"{counts[kind, name]:>11}" for name in columns)
        lines.append(f"{kind:12}{cells}{slowest:>12.1f}{most:>10.1f}")
    total = Counter(row["outcome"] for row in rows)
    return "\n".join([*lines, f"{'all':12}" + "".join(f"{total[name]:>11}" for name in columns)])


def main() -> int:
    """1 where an input of this run was neither read nor refused."""
    parser = argparse.ArgumentParser(description="damaged and hostile inputs for every reader")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/fuzz"), help="folder; a next run goes on in it"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all inputs")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of " + ", ".join(KINDS))
    parser.add_argument(
        "--only", metavar="KIND:NUMBER", help="make and meet one input again, and say what it gave"
    )
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if args.only:
        kind, _, number = args.only.partition(":")
        write_seeds(out / "sound")
        with Worker(out, args.seed) as worker:
            row = worker.meet(kind, int(number))
        print(
            json.dumps(row, indent=1).replace("\\n", "\n"), f"\nthe input: {out / 'work' / 'case'}"
        )
        return int(row["outcome"] in BAD)
    bad = [
        row
        for row in fuzz(out, args.kinds.split(","), seconds=args.minutes * 60, seed=args.seed)
        if row["outcome"] in BAD
    ]
    print(table(met_before(out)))
    for row in bad:
        print(
            f"{row['kind']}:{row['number']} {row['outcome']}: "
            f"{row['said'].strip().splitlines()[-1:]}"
        )
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
