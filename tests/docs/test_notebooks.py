"""The notebooks of the documentation run from the first cell to the last, in a folder of their
own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # they are committed without
    client.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert not _failed(notebook), _failed(notebook)


def _failed(notebook: object) -> list[str]:
    """What commands (``!monai-ich``) said that refused or broke; no exception tells of them."""
    said = [
        output.get("text", "")
        for cell in notebook.cells  # type: ignore[attr-defined]
        if cell.cell_type == "code" and "--epoch 1" not in cell.source  # which shows a mistake
        for output in cell.outputs
    ]
    return [
        text
        for text in said
        if any(word in text for word in ("monai-ich:", "Traceback", "command not found"))
    ]


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["from_dicom_to_numbers", "train_on_your_own_scans"]
