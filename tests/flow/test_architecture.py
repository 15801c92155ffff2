"""The house keeps its rules: who imports whom, what a start costs, what no file may hold."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = (
    "torch",
    "monai",
    "pydicom",
    "nibabel",
    "SimpleITK",
    "itk",
    "scipy",
    "mlflow",
    "matplotlib",
    "numpy",
    "ray",
    "pandas",
    "sklearn",
)


def test_import_layers_hold() -> None:
    """In a process of its own: import-linter disables all loggers that exist when it starts."""
    code = (
        "import sys; from importlinter.cli import lint_imports_command; "
        "sys.exit(lint_imports_command())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert out.returncode == 0, out.stdout


def _modules_after(code: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    names = out.stdout.split()
    return {*names, *(name.split(".")[0] for name in names)}


def test_the_signs_of_lps_stand_in_one_place() -> None:
    signs = re.compile(r"-1(\.0)?, -1(\.0)?, \+?1")
    files = [path for path in (ROOT / "monai_ich").rglob("*.py") if signs.search(path.read_text())]
    assert [path.name for path in files] == ["geometry.py"]


def test_help_and_the_package_import_nothing_heavy() -> None:
    loaded = _modules_after(
        "import monai_ich, monai_ich.cli.app; monai_ich.cli.app._parser().format_help()"
    )
    assert not loaded & set(HEAVY)


def test_a_bundle_that_looks_through_the_package_loads_nothing() -> None:
    """MONAI does it with every package whose name begins with monai, also beside pydicom 2."""
    assert not _modules_after("import inspect, monai_ich; inspect.getmembers(monai_ich)") & set(
        HEAVY
    )


@pytest.mark.slow
def test_an_analysis_loads_no_package_for_training_and_hides_none() -> None:
    code = (
        "from monai_ich.startup import import_monai_alone; import_monai_alone(); import "
        "monai_ich.analysis"
    )
    loaded = _modules_after(
        f"{code}; from importlib.util import find_spec; assert find_spec('mlflow')"
    )
    assert "monai" in loaded and not loaded & {
        "mlflow",
        "ignite",
        "pandas",
        "sklearn",
        "itk",
        "matplotlib",
        "requests",
        "scipy.signal",
    }


def test_measuring_needs_no_network_library() -> None:
    loaded = _modules_after("import monai_ich.measure.summary")
    assert not loaded & {"torch", "monai", "pydicom", "nibabel", "SimpleITK", "itk", "mlflow"}


def test_public_names_exist_and_are_few() -> None:
    import monai_ich

    assert 5 < len(monai_ich.__all__) <= 25
    for name in monai_ich.__all__:
        assert getattr(monai_ich, name) is not None


def test_nothing_prints_but_the_command_line() -> None:
    package = ROOT / "monai_ich"
    printing = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if re.search(r"^\s*print\(", path.read_text(), re.M)
    }
    assert printing == {"cli", "demo.py"}
