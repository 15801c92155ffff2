"""The machine that a job was lent: packages that it lacks, and whether it has CUDA."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab.stages import ROOT


def environment(work: Path, wheels: Path | None = None) -> dict[str, str]:
    """Of the commands: wheels and checkout on the path, nobody called over a network.

    Args:
        work: wheels are installed into its ``site``.
        wheels: folder of wheels that the machine lacks.
    """
    paths = [str(ROOT)]
    if wheels is not None:
        paths.insert(0, str(_install(wheels, work / "site")))
    sys.path[:0] = paths
    quiet = {
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    if "PYTHONPATH" in os.environ:
        paths.append(os.environ["PYTHONPATH"])
    threads = str(max(1, (os.cpu_count() or 1) // 2))
    path = {"PYTHONPATH": os.pathsep.join(paths)}
    return {"OMP_NUM_THREADS": threads, **os.environ, **quiet, **path}


def has_cuda(device: str | None) -> bool:
    """Whether networks run on CUDA: as asked, or where there is one."""
    if device:
        return device.startswith("cuda")
    import torch

    return torch.cuda.is_available()


def _install(wheels: Path, site: Path) -> Path:
    if not (site / ".done").is_file():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
        command += ["--no-compile", "--no-cache-dir", "--root-user-action", "ignore", "--upgrade"]
        command += ["--target", str(site), *(str(p) for p in sorted(wheels.glob("*.whl")))]
        subprocess.run(command, check=True)
        (site / ".done").touch()
    return site
