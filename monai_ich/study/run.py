"""A study: analyze what is not done yet, then make the tables of all that is."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from monai_ich.core.errors import InputError, OutputError
from monai_ich.core.scratch import PARTIAL, is_claimed, sweep, sweep_temporary
from monai_ich.io.output import made_folder, refuse_unwritable
from monai_ich.study.cluster import Task, analyze_all
from monai_ich.study.inputs import StudyCase
from monai_ich.study.results import is_done, read_row, write_tables
from monai_ich.study.summary import write_summary
from monai_ich.study.worker import Build, Outcome

_LOCK, _PATIENCE_S = ".lock", 10.0
_UNREAD = "Its results cannot be read after they were written: look at the disk, then run it again."


class Progress(Protocol):
    """Wraps the outcomes, to show how far the study is."""

    def __call__(self, outcomes: Iterable[Outcome], *, total: int) -> Iterable[Outcome]:
        """`total` outcomes will come."""


@dataclass(frozen=True)
class StudyResult:
    """What became of a study.

    Args:
        rows: one for each case that is done, from this run or an earlier one.
        failures: of this run; a next run tries them again.
        skipped: how many were done before.
        damaged: cases whose earlier results could not be read, so that they were analyzed again.
    """

    rows: tuple[dict[str, Any], ...]
    failures: tuple[Outcome, ...]
    skipped: int
    damaged: tuple[str, ...] = ()


def run_study(
    cases: Sequence[StudyCase],
    output_dir: str | Path,
    *,
    build: Build,
    settings: str,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress | None = None,
    note: str = "",
) -> StudyResult:
    """Analyze each case into ``cases/<id>``; write ``study.csv``, ``.parquet``, ``failures.csv``,
    ``summary.html``.

    Run it again to go on after an interruption, however hard: a case's folder appears whole or not
    at all, and the tables are made of the folders. A case whose row cannot be read is not done: it
    is analyzed again.

    Args:
        cases: with different ids.
        output_dir: made if missing.
        build: gives the pipeline, or what measures masks; called once in each worker.
        settings: hash of what numbers depend on, from `digest_settings` or `digest_code`; another
            one does all cases again.
        workers, address: as `analyze_all`.
        progress: see `Progress`.
        note: for the summary, such as what lies beside the scans.

    Raises:
        InputError: ``NO_CLUSTER``, ``RAY_NOT_STARTED``.
        OutputError: ``STUDY_RUNNING`` where another run has this folder, ``OUTPUT_NOT_WRITABLE``,
            ``DISK_FULL``.
    """
    root = Path(output_dir).resolve()
    refuse_unwritable(root)
    with made_folder(root), _alone(root):
        (root / "cases").mkdir(exist_ok=True)
        _sweep(root / "cases")
        tasks = [(case, root / "cases" / case.id, case.digest(settings)) for case in cases]
        before, damaged = _read_done(tasks)
        missing = [task for task in tasks if task[0].id not in before]
        failures: list[Outcome] = []
        try:
            if missing:
                with closing(
                    analyze_all(missing, build, workers=workers, address=address)
                ) as found:
                    outcomes: Iterable[Outcome] = (
                        progress(found, total=len(missing)) if progress else found
                    )
                    failures += [outcome for outcome in outcomes if outcome.code]
        finally:
            _sweep(root / "cases", patience_s=_PATIENCE_S)
            now, unread = _read_done(missing)
            failures += [
                Outcome(case_id, "RESULTS_DAMAGED", _UNREAD)
                for case_id in unread
                if case_id not in damaged
            ]
            done = before | now
            rows = tuple(done[case.id] for case in cases if case.id in done)
            if rows or failures or not missing:
                write_tables(root, rows, failures)
                write_summary(root / "summary.html", rows, failures, total=len(cases), note=note)
            else:
                _leave_nothing(root)
    return StudyResult(rows, tuple(failures), len(before), damaged)


def _read_done(tasks: Iterable[Task]) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """The rows of the cases that are done, by ID; and the cases whose results are there and cannot
    be read.
    """
    rows, damaged = {}, []
    for case, folder, digest in tasks:
        try:
            if is_done(folder, digest):
                rows[case.id] = read_row(case, folder)
        except InputError:
            damaged.append(case.id)
    return rows, tuple(damaged)


def _sweep(folder: Path, *, patience_s: float = 0.0) -> None:
    """Remove what killed workers left, once they have ended: the last ones may be about to."""
    end = time.monotonic() + patience_s
    while sweep(folder) and time.monotonic() < end:
        time.sleep(0.1)
    sweep_temporary()
    for left in folder.glob(f"{PARTIAL}*"):
        if not is_claimed(left):  # of an earlier version, which did not say whose they were
            shutil.rmtree(left, ignore_errors=True)


def _leave_nothing(root: Path) -> None:
    """A study that was refused or stopped before its first case leaves no folder that it made."""
    with suppress(OSError):
        (root / "cases").rmdir()
    if [path.name for path in root.iterdir()] == [_LOCK]:
        (root / _LOCK).unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The lock ends with the process, whatever ends it."""
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                "STUDY_RUNNING", "Another run writes into this folder: wait for it, or end it."
            ) from error
        yield
