"""Damaged files give a result or a coded refusal: no traceback, no hang, no endless memory, nothing
half-written.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_files

from tests import dicom_writers as write
from tests.conftest import ROOT
from tests.dicom.mutants import mutate
from tests.dicom_syntax import LOSSLESS
from tests.phantom import files, series

pytestmark = pytest.mark.slow


def _damage(sources: Iterable[list[Path]], folder: Path, *, seed: int) -> None:
    """A folder for each study: one of its files is damaged, the others are the same files."""
    rng = np.random.default_rng(seed)
    for n, study in enumerate(sources):
        case = folder / f"{n:03d}"
        case.mkdir(parents=True)
        hit = int(rng.integers(len(study)))
        for k, path in enumerate(study):
            target = case / f"{k:03d}"
            if k == hit:
                target.write_bytes(mutate(path.read_bytes(), rng))
            else:
                _share(path, target)


def _share(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # another disk
        target.write_bytes(path.read_bytes())


def _of_pydicom(tmp_path: Path) -> list[list[Path]]:
    """Real files of many makers and syntaxes, each alone, as often as it takes."""
    small = sorted(
        p for name in get_testdata_files("**/*.dcm") if (p := Path(name)).stat().st_size < 1 << 20
    )
    return [[small[n % len(small)]] for n in range(100)]


def _of_phantom(tmp_path: Path) -> list[list[Path]]:
    """Whole heads: plain, compressed, and in one multi-frame file."""
    studies = [files(series(tmp_path / "plain"))]
    for name in ("RLE", "JPEG lossless (70)", "JPEG-LS", "JPEG 2000", "HTJ2K", "deflated"):
        write.in_syntax(tmp_path / name, syntax=LOSSLESS[name])
        studies.append(sorted((tmp_path / name).rglob("*.dcm")))
    write.enhanced(tmp_path / "enhanced", tilt_deg=0)
    studies.append(sorted((tmp_path / "enhanced").rglob("*.dcm")))
    return [studies[n % len(studies)] for n in range(120)]


@pytest.mark.parametrize("sources", [_of_pydicom, _of_phantom])
def test_damage_is_read_or_refused(
    tmp_path: Path, sources: Callable[[Path], list[list[Path]]]
) -> None:
    _damage(sources(tmp_path / "good"), tmp_path / "bad", seed=1)
    _check(tmp_path)


def test_damage_of_a_real_head_is_read_or_refused(shared_data: Path, tmp_path: Path) -> None:
    study = sorted((shared_data / "ge_head_tilted").glob("*.dcm"))
    _damage([study] * 40, tmp_path / "bad", seed=2)
    statuses = _check(tmp_path)
    assert 0 in statuses and 3 in statuses


def _check(folder: Path) -> list[int]:
    out = folder / "out"
    out.mkdir()
    command = [sys.executable, "-m", "tests.dicom.mutants", str(folder / "bad"), str(out)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(rows) == len(list((folder / "bad").iterdir())), done.stderr[
        -2000:
    ]
    for row in rows:
        written = (out / f"{row['case']}.nii").exists()
        assert row["status"] in (0, 3), f"{row['case']}: {row['said']}"
        assert written == (row["status"] == 0)
        if row["status"] == 3:
            said = json.loads(row["said"])
            assert re.fullmatch("[A-Z_0-9]+", said["code"]) and "\n" not in said["message"], row[
                "said"
            ]
    assert {path.suffix for path in out.iterdir()} <= {".nii"}, "nothing half-written"
    assert last["peak_gb"] < 2.0
    return [row["status"] for row in rows]
