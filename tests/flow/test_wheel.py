"""A wheel holds the product: it works in an environment of its own, from a folder that knows no
checkout.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from monai_ich import __version__
from monai_ich.core.shipped import commit
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
Run = Callable[..., str]


def _source(folder: Path) -> Path:
    """An sdist, unpacked: building in the checkout would leave files there."""
    words = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    command = [sys.executable, "-c", words, str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    return source


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``monai-ich`` as the wheel installs it, built from the sdist.

    Its dependencies are those of this environment, the checkout is not.
    """
    root = tmp_path_factory.mktemp("wheel")
    words = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(root)]
    command = [sys.executable, "-m", *words, str(_source(root))]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = root.glob("*.whl")
    venv.create(root / "env", with_pip=True)
    python = root / "env" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (root / "env").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(
        sysconfig.get_path("purelib")
    )  # its own .pth files are not followed
    (root / "empty").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def call(*words: object) -> str:
        command = [root / "env" / "bin" / "monai-ich", *map(str, words)]
        done = subprocess.run(
            command,
            cwd=root / "empty",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def test_it_says_which_code_it_is(run: Run) -> None:
    assert run("--version") == f"monai-ich {__version__} ({commit()})\n"


def test_it_makes_a_head_and_analyzes_it_as_the_checkout_does(run: Run, tmp_path: Path) -> None:
    run(
        "synth",
        "-o",
        tmp_path / "d",
        "--format",
        "dicom",
        "--pixels",
        96,
        "--thickness-mm",
        8,
        "--seed",
        77,
    )
    (study,) = (tmp_path / "d").glob("case_*/dicom")
    run("analyze", study, "-o", tmp_path / "wheel", "--case-id", "c", "--device", "cpu")
    ours = [
        sys.executable,
        "-m",
        "monai_ich.cli",
        "analyze",
        study,
        "-o",
        tmp_path / "checkout",
        "--case-id",
        "c",
    ]
    subprocess.run([*ours, "--device", "cpu"], cwd=ROOT, check=True, capture_output=True)
    rows = [
        next(csv.DictReader((tmp_path / n / "measurements.csv").open()))
        for n in ("wheel", "checkout")
    ]
    assert rows[0] == rows[1] and float(rows[0]["cavity_ml"]) > 700


def test_bundles_configs_and_schema_come_with_it(run: Run, tmp_path: Path) -> None:
    run("synth", "-o", tmp_path / "d", "--pixels", 64, "--thickness-mm", 10)
    (image,) = (tmp_path / "d").glob("case_*/ct.nii.gz")
    run("manifest", "check", tmp_path / "d" / "dataset.json")
    listing = tmp_path / "d" / "dataset.json"
    record = json.loads(listing.read_text())
    listing.write_text(json.dumps(record | {"validation": record["training"]}))
    run("bundle", "check", "ich_segmentation", "--trust")
    run(
        "bundle",
        "check",
        "ich_segmentation",
        "train,model/segresnet",
        "--dataset_dir",
        tmp_path / "d",
        "--trust",
    )
    run("resample", image.with_name("ich.nii.gz"), "--like", image, "-o", tmp_path / "m.nii.gz")
