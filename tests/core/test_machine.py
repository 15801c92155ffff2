"""What a container may use is what its control group lets it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monai_ich.core.machine import cores_here, memory_here

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
BOUND = len(os.sched_getaffinity(0))


def _limits(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n")
    return folder


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, BOUND),
        ({"cpu.max": "max 100000"}, BOUND),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),  # half a core is one
        ({"cpu.max": "9000000 100000"}, BOUND),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, BOUND),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu.max": "broken"}, BOUND),
    ],
)
def test_cores_are_those_of_the_quota(tmp_path: Path, files: dict[str, str], most: int) -> None:
    assert cores_here(_limits(tmp_path, files)) == most


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, MACHINE),
        ({"memory.max": "max"}, MACHINE),
        ({"memory.max": "4000000000"}, 4_000_000_000),
        ({"memory/memory.limit_in_bytes": "3000000000"}, 3_000_000_000),
        ({"memory/memory.limit_in_bytes": str(2**63 - 4096)}, MACHINE),  # none, in version 1
    ],
)
def test_memory_is_that_of_the_limit(tmp_path: Path, files: dict[str, str], most: int) -> None:
    assert memory_here(_limits(tmp_path, files)) == most
