"""A real MONAI Label server on 127.0.0.1 with the app of examples/monai_label: drafts equal
``inference.yaml`` voxel by voxel, two trainings in a row, and the doubt that orders the scans.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from email.parser import BytesParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.bundles.tiny import tiny_head
from tests.conftest import ROOT

LABEL = ROOT / ".label-venv" / "bin" / "python"
BUNDLES = ("ich_segmentation", "head_ct_anatomy")
PATIENCE_S = 1800
PARTS = {p.name for p in (ROOT / ".label-venv").glob("lib/python*/site-packages/*")}
MISSING = sorted({"monailabel", "torchvision"} - PARTS)
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"MONAI Label cannot run: .label-venv has no {' and no '.join(MISSING)}",
    ),
]
OPERATORS = Path(__file__).parent / "torchvision_operators"  # where those of torchvision do not fit


class Server:
    """The server's address, its app's folder and its studies."""

    def __init__(self, url: str, app: Path, studies: Path) -> None:
        self.url, self.app, self.studies = url, app, studies

    def ask(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            kind, content = answer.headers["Content-Type"], answer.read()
        if kind.startswith("multipart/"):
            whole = BytesParser().parsebytes(f"Content-Type: {kind}\n\n".encode() + content)
            content = whole.get_payload()[-1].get_payload(decode=True)
        return bytes(content)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("label")
    app = shutil.copytree(ROOT / "examples" / "monai_label", folder / "app")
    for name in BUNDLES:
        copy = shutil.copytree(ROOT / "bundles" / name, app / "model" / name)
        config = copy / "configs" / "train.yaml"
        config.write_text(config.read_text().replace("epoch_length: 200", "epoch_length: 2"))
    studies = folder / "studies"
    (studies / "labels" / "final").mkdir(parents=True)
    for number in range(4):
        hu, _, _, affine = tiny_head(number, tilt_deg=10.0 * (number == 1))
        nib.save(nib.Nifti1Image(hu, affine), studies / f"head{number}.nii.gz")
    write_labels(studies, "ich_segmentation")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [LABEL, "-m", "monailabel.main", "start_server", "--app", app, "--studies", studies]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(OPERATORS)},
        )
        found = Server(f"http://127.0.0.1:{port}", Path(app), studies)
        try:
            wait_for(found, process)
            yield found
        finally:
            process.terminate()
            process.wait(60)


def write_labels(studies: Path, bundle: str) -> None:
    """Masks of the last two heads, of what a bundle learns, as 3D Slicer submits them."""
    for number in (2, 3):
        _, labels, anatomy, affine = tiny_head(number)
        mask = nib.Nifti1Image(anatomy if bundle == "head_ct_anatomy" else labels, affine)
        nib.save(mask, studies / "labels" / "final" / f"head{number}.nii.gz")


def wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended"
        try:
            server.ask("/info/")
            return
        except OSError:
            time.sleep(1.0)
    raise AssertionError("the server does not answer")


def test_info_lists_models_trainers_strategies_and_scores(server: Server) -> None:
    info = json.loads(server.ask("/info/"))
    assert set(info["models"]) == set(info["trainers"]) == set(BUNDLES)
    assert info["models"]["ich_segmentation"]["labels"]["sdh"] == 5
    doubts = {f"doubt_{name}" for name in BUNDLES}
    assert doubts <= set(info["strategies"]) and doubts == set(info["scoring"])


@pytest.mark.parametrize("name", BUNDLES)
def test_masks_equal_those_of_inference_voxel_by_voxel(
    server: Server, name: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root"]
    command += [str(ROOT / "bundles" / name), "--config_file"]
    command += [str(ROOT / "bundles" / name / "configs" / "inference.yaml")]
    command += ["--dataset_dir", str(server.studies), "--output_dir", str(tmp_path / "ours")]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    for scan in ("head0", "head1"):
        answer = server.ask(f"/infer/{name}?image={scan}&output=image", {"device": "cpu"})
        (tmp_path / f"{scan}.nii.gz").write_bytes(answer)
        theirs = nib.load(tmp_path / f"{scan}.nii.gz")
        (path,) = (tmp_path / "ours").rglob(f"{scan}_*.nii.gz")
        ours = nib.load(path)
        assert np.array_equal(np.asarray(theirs.dataobj), np.asarray(ours.dataobj))
        assert np.allclose(theirs.affine, ours.affine, atol=1e-4)
        assert np.asarray(ours.dataobj).any()


def test_the_scan_in_most_doubt_comes_first(server: Server) -> None:
    wait_for_scoring(server)  # the server scores by itself at its start
    store = json.loads((server.studies / "datastore_v2.json").read_text())
    for name in BUNDLES:
        doubts = {
            scan: held["image"]["info"][f"doubt_ml_{name}"]
            for scan, held in store["objects"].items()
            if f"doubt_ml_{name}" in held["image"]["info"]
        }
        assert set(doubts) == {"head0", "head1"} and min(doubts.values()) > 0
        first = json.loads(server.ask(f"/activelearning/doubt_{name}", {"client_id": "test"}))
        assert first["id"] == max(doubts, key=lambda scan: doubts[scan])


def wait_for_scoring(server: Server) -> None:
    """Until the scorings that began by themselves have ended."""
    while True:
        states = json.loads(server.ask("/scoring/?all=true"))
        if not {"SUBMITTED", "RUNNING"} & {state["status"] for state in states}:
            assert {state["status"] for state in states} == {"DONE"}, states
            return
        time.sleep(1.0)


def train(server: Server, name: str, *, background: bool) -> None:
    """One epoch; in the background as 3D Slicer starts it, in a process of its own."""
    request = {"max_epochs": 1, "device": "cpu", "val_split": 0.5}
    server.ask(f"/train/{name}?run_sync={str(not background).lower()}", request)
    while background:
        state = json.loads(server.ask("/train/"))
        if state["status"] not in ("SUBMITTED", "RUNNING"):
            assert state["status"] == "DONE", state["details"]
            return
        time.sleep(1.0)


@pytest.mark.parametrize("name", BUNDLES)
def test_two_trainings_in_a_row_go_on_from_the_weights_that_are_there(
    server: Server, name: str
) -> None:
    write_labels(server.studies, name)
    weights = server.app / "model" / name / "models" / "model.pt"
    states = [torch.load(weights, weights_only=True)]
    for background in (False, True):
        train(server, name, background=background)
        states.append(torch.load(weights, weights_only=True))
    kernels = [key for key, value in states[0].items() if value.ndim > 1]
    for before, trained in pairwise(states):
        steps = [float((trained[k].float() - before[k].float()).abs().max()) for k in kernels]
        assert 0 < max(steps) < 0.01, "it trained, and from there"
