"""The pipeline from a model registry, in a process of its own."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow.models.utils import _enforce_schema
from mlflow.pyfunc.scoring_server import infer_and_parse_data

from monai_ich.bundle import find_bundle
from monai_ich.cli.app import main
from monai_ich.core.provenance import sha256_of
from monai_ich.synth.dataset import design_case, write_case
from monai_ich.tracking.model import SIGNATURE, ScanModel
from monai_ich.tracking.register import pinned_requirements

LOAD = """
import json, sys
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/bleeds/1")
listed = model.predict([sys.argv[2], "/nowhere"])
tabled = model.predict(pd.DataFrame({"path": [sys.argv[2]]}))
assert tabled.equals(listed[:1]), tabled
import monai_ich
print(json.dumps([monai_ich.__file__, json.loads(listed.to_json(orient="records"))]))
"""


def test_requirements_are_pinned_and_are_the_toolkits_own() -> None:
    found = dict(line.split("==") for line in pinned_requirements())
    assert {"torch", "monai", "mlflow", "nibabel"} <= set(found) and "pytest" not in found
    assert all(number[0].isdigit() for number in found.values())


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": ["a.nii.gz", "b"]},
        {"dataframe_split": {"columns": ["path"], "data": [["a.nii.gz"], ["b"]]}},
        {"dataframe_records": [{"path": "a.nii.gz"}, {"path": "b"}]},
    ],
    ids=lambda body: "".join(body),
)
def test_mlflow_serves_lists_and_tables(body: dict[str, Any]) -> None:
    """Between a request and the model: the body is parsed, then the signature holds."""
    parsed = infer_and_parse_data(body, SIGNATURE.inputs)
    asked: list[str] = []
    model = ScanModel()
    model._row = lambda path, case_id: asked.append(path) or {"case_id": case_id}  # type: ignore
    model.predict(None, _enforce_schema(parsed, SIGNATURE.inputs))
    assert asked == ["a.nii.gz", "b"]


@pytest.mark.slow
def test_a_registered_model_gives_the_row_that_analyze_writes(tmp_path: Path) -> None:
    scan = write_case(design_case(77, pixels=96, thickness_mm=6.0), tmp_path / "head") / "ct.nii.gz"
    store = f"sqlite:///{tmp_path}/models.db"
    assert main(["register", "--mlflow", store, "--name", "bleeds"]) == 0
    command = [sys.executable, "-W", "ignore", "-c", LOAD, store, str(scan)]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr[-3000:]
    home, (row, refused) = json.loads(said.stdout.splitlines()[-1])
    assert home.startswith(str(tmp_path)), "the code that was registered runs"
    assert refused["error"].startswith("INPUT_NOT_FOUND") and refused["case_id"] == "scan-0002"

    assert main(["analyze", str(scan), "-o", str(tmp_path / "out"), "--device", "cpu"]) == 0
    with (tmp_path / "out" / "measurements.csv").open(newline="") as stream:
        (written,) = csv.DictReader(stream)
    assert {k: "" if v is None else v for k, v in row.items() if k not in ("case_id", "error")} == {
        k: type(row[k])(v) if v else "" for k, v in written.items() if k != "case_id"
    }
    with sqlite3.connect(tmp_path / "models.db") as db:
        tags = dict(db.execute("select key, value from model_version_tags").fetchall())
    assert tags["weights_ich_segmentation"] == sha256_of(
        find_bundle("ich_segmentation") / "models" / "model.pt"
    )
    assert "synthetic heads only" in tags["status_head_ct_anatomy"] and "git_commit" in tags
    (requirements,) = (tmp_path / "artifacts").rglob("requirements.txt")
    assert requirements.read_text().split() == pinned_requirements()
