"""A study: analyze what is not done yet, then make the tables of all that is."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from monai_ich.analysis import Pipeline
from monai_ich.core.errors import OutputError
from monai_ich.io.output import refuse_unwritable
from monai_ich.study.cluster import analyze_all
from monai_ich.study.inputs import StudyCase
from monai_ich.study.results import is_done, read_row, write_tables
from monai_ich.study.summary import write_summary
from monai_ich.study.worker import Outcome


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
    """

    rows: tuple[dict[str, Any], ...]
    failures: tuple[Outcome, ...]
    skipped: int


def run_study(
    cases: Sequence[StudyCase],
    output_dir: str | Path,
    *,
    build: Callable[[], Pipeline],
    settings: str,
    workers: int | None = None,
    address: str | None = None,
    progress: Progress | None = None,
) -> StudyResult:
    """Analyze each case into ``cases/<id>``; write ``study.csv``, ``.parquet``, ``failures.csv``, ``summary.html``.

    Run it again to go on after an interruption, however hard: a case's folder appears whole or not at all, and the
    tables are made of the folders.

    Args:
        cases: with different ids.
        output_dir: made if missing.
        build: gives the pipeline; called once in each worker.
        settings: hash of what numbers depend on, from `digest_settings`; another one does all cases again.
        workers, address: as `analyze_all`.
        progress: see `Progress`.

    Raises:
        OutputError: ``STUDY_RUNNING`` where another run has this folder, ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    root = Path(output_dir).resolve()
    refuse_unwritable(root)
    (root / "cases").mkdir(parents=True, exist_ok=True)
    with _alone(root):
        _sweep(root / "cases")
        tasks = [(case, root / "cases" / case.id, case.digest(settings)) for case in cases]
        missing = [task for task in tasks if not is_done(task[1], task[2])]
        failures: list[Outcome] = []
        try:
            if missing:
                outcomes: Iterable[Outcome] = analyze_all(missing, build, workers=workers, address=address)
                for outcome in progress(outcomes, total=len(missing)) if progress else outcomes:
                    failures += [outcome] if outcome.code else []
        finally:
            _sweep(root / "cases")
            rows = tuple(read_row(case, folder) for case, folder, digest in tasks if is_done(folder, digest))
            write_tables(root, rows, failures)
            write_summary(root / "summary.html", rows, failures, total=len(cases))
    return StudyResult(rows, tuple(failures), len(tasks) - len(missing))


def _sweep(folder: Path) -> None:
    """Remove what killed workers left."""
    for left in folder.glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The lock ends with the process, whatever ends it."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                "STUDY_RUNNING", "Another run writes into this folder: wait for it, or end it."
            ) from error
        yield
