"""Modules run as `python -m` runs them, each in a process of its own that is forked from one which
has the heavy libraries in memory: it costs its work, not five seconds of imports.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["monai.bundle", "monai.engines", "monai.handlers", "mlflow", "matplotlib.pyplot"]
)


def run_module(module: str, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE WORDS` in `folder`, on one thread."""
    said = [folder / f".{name}-{os.getpid()}" for name in ("out", "err")]
    command = [module, *map(str, words)]
    process = _CONTEXT.Process(target=_run, args=(command, folder, said, dict(os.environ)))
    process.start()
    process.join()
    texts = [path.read_text() for path in said]
    for path in said:
        path.unlink()
    return subprocess.CompletedProcess(command, int(process.exitcode or 0), *texts)


def _run(command: list[str], folder: Path, said: list[Path], environment: dict[str, str]) -> None:
    for number, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(environment | {"OMP_NUM_THREADS": "1"})
    os.chdir(folder)
    sys.argv[1:] = command[1:]
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
