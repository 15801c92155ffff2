"""A process that meets one damaged input after another: ``python -m tests.fuzz.worker SOUND WORK
SEED``.

Reads ``kind number`` lines, answers each with a line of JSON. A hang in Python ends after
`LONGEST_S` of CPU time; whoever started this process ends it where it hangs in C.
"""

from __future__ import annotations

import json
import logging
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np

from monai_ich.core.errors import IchError
from tests.fuzz.kinds import CODE, KINDS, SOUND, Unclean

LONGEST_S, LONGEST_WALL_S, MOST_GB = 10, 90, 2.0
_ROOM_BYTES = 12 << 30


def _peak_gb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1e6  # type: ignore[index]


def _late(*_: object) -> None:
    raise TimeoutError


def meet(kind: str, number: int, sound: Path, work: Path, seed: int) -> dict[str, object]:
    """Make an input and read it.

    Returns:
        ``outcome`` (result, refused, traceback, unclean, slow, large), ``said``, ``seconds``,
        ``peak_gb``.
    """
    case = work / "case"
    shutil.rmtree(work, ignore_errors=True)
    case.mkdir(parents=True)
    rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
    KINDS[kind].make(sound / SOUND.get(kind, kind), case, rng)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    outcome, said = "result", ""
    busy = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)  # CPU time: others may use the machine, too
    signal.alarm(LONGEST_WALL_S)
    try:
        KINDS[kind].read(case)
    except IchError as error:
        one_line = (
            "\n" not in error.message
            and CODE.fullmatch(error.code)
            and error.code != "INTERNAL_ERROR"
        )
        outcome, said = ("refused" if one_line else "unclean"), str(error)
    except Unclean as error:
        outcome, said = "unclean", str(error)
    except TimeoutError:
        outcome, said = "slow", traceback.format_exc()
    except BaseException:  # also what ends a program
        outcome, said = "traceback", traceback.format_exc()
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.alarm(0)
    seconds, peak_gb = time.process_time() - busy, _peak_gb()
    if outcome in ("result", "refused") and list(work.rglob(".partial-*")):
        outcome, said = "unclean", "something half-written is left"
    if outcome != "slow" and peak_gb > MOST_GB:
        outcome, said = "large", f"{peak_gb:.1f} GB: {said}"
    return {
        "outcome": outcome,
        "said": said[-3000:],
        "seconds": round(seconds, 2),
        "peak_gb": round(peak_gb, 2),
    }


def main(sound: Path, work: Path, seed: int) -> None:
    """Answer lines until there are none."""
    answers, sys.stdout = sys.stdout, sys.stderr
    resource.setrlimit(resource.RLIMIT_AS, (_ROOM_BYTES, _ROOM_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _late)
    signal.signal(signal.SIGPROF, _late)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        kind, number = line.split()
        answers.write(
            json.dumps(
                {"kind": kind, "number": int(number)} | meet(kind, int(number), sound, work, seed)
            )
            + "\n"
        )
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
