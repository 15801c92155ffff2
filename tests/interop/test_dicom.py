"""DICOM results before other people's programs: validators, readers, and an archive that takes and
gives them back.

Debian: dcmtk, dicom3tools, pixelmed-apps, orthanc, orthanc-dicomweb; PyPI: dcmqi (``make
test-interop`` installs them where it may). Orthanc listens on every address whatever it is told, so
it runs only where it has a network of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nrrd
import numpy as np
import pydicom
import pytest

from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.provenance import Notice
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct, read_labels
from monai_ich.measure.summary import measure_exam
from monai_ich.report.montage import render_montage
from monai_ich.results.dicom import write_dicom_results
from tests.phantom import grid, series
from tests.seg_contract import PROVENANCE, true_labels

pytestmark = pytest.mark.interop
HEADER = {"StudyDate": "20200102", "StudyTime": "101112", "StudyID": "1", "PatientName": "DOE^JANE"}
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
OURS = ("seg.dcm", "sr.dcm", "sc.dcm", "heatmap_SDH.dcm", "sc_heatmaps.dcm")
PORTS = {"HttpPort": 8042, "DicomPort": 4242}


def _program(name: str) -> str:
    """Its path: beside this Python, or anywhere."""
    found = shutil.which(
        name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        timeout=400,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module", params=["blood", "no blood", "tilted"])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    scan = read_ct(
        series(folder / "ct", grid(tilt_deg=18 if request.param == "tilted" else 0), **HEADER)
    )
    labels = true_labels(scan.volume.geometry)
    if request.param == "no blood":
        labels = LabelMap(np.zeros_like(labels.voxels), labels.geometry, Subtype)
    exam = measure_exam(labels, ct=scan.volume)
    render_montage(folder / "montage.png", scan.volume, labels)
    assert scan.source is not None
    write_dicom_results(
        folder,
        scan.source,
        labels,
        exam,
        provenance=PROVENANCE,
        warnings=(*scan.warnings, Notice("NOT_CALIBRATED", "No intervals are known.")),
        montage=folder / "montage.png",
        heat_maps=[HeatMap(Subtype.SDH, labels.voxels * np.uint8(50), labels.geometry)],
        heat_picture=np.zeros((40, 60, 3), np.uint8),
    )
    return folder


@pytest.mark.parametrize("name", OURS)
def test_dciodvfy_finds_nothing_but_our_private_scheme(results: Path, name: str) -> None:
    said = _run(_program("dciodvfy"), "-new", results / name).splitlines()
    complaints = [line for line in said if line.startswith(("Error", "Warning"))]
    assert [
        line for line in complaints if "Unrecognized defined term = <99ICHSEG>" not in line
    ] == []


def test_pixelmed_finds_the_report_template(results: Path) -> None:
    """It takes groups without a region (TID 1501) for TID 1411, and misses three kinds of region in
    each.
    """
    limits = " ".join(f"-Djdk.xml.xpath{kind}Limit=0" for kind in ("ExprOp", "TotalOp", "ExprGrp"))
    said = _run(_program("DicomSRValidator"), results / "sr.dcm", JAVA_TOOL_OPTIONS=limits)
    assert "Found Root Template TID_1500" in said
    errors = [line for line in said.splitlines() if line.startswith("Error")]
    regions = ("Image Region", "Referenced Segment", "Volume Surface")
    assert [
        line
        for line in errors
        if "Template 1411" not in line or not any(r in line for r in regions)
    ] == []
    groups = len(
        re.findall(
            r'CONTAINER:\(,,"Measurement Group"\)', _run(_program("dsrdump"), results / "sr.dcm")
        )
    )
    assert len(errors) == 3 * (groups - len(Subtype))


def test_dsrdump_and_tid1500reader_read_the_volumes(results: Path, tmp_path: Path) -> None:
    said = _run(_program("dsrdump"), "+Pl", results / "sr.dcm")
    volumes = [float(v) for v in re.findall(r'NUM:\(,,"Volume"\)="([\d.]+)"', said)]
    _run(
        _program("tid1500reader"),
        "--inputDICOM",
        results / "sr.dcm",
        "--outputMetadata",
        tmp_path / "o.json",
    )
    groups = json.loads((tmp_path / "o.json").read_text())["Measurements"]
    by_name = {group["TrackingIdentifier"]: group for group in groups}
    seg = pydicom.dcmread(results / "seg.dcm")
    for subtype, total in zip(Subtype, volumes[1:6], strict=True):
        (item,) = by_name[subtype.name]["measurementItems"][:1]
        assert float(item["value"]) == total
        assert by_name[subtype.name]["segmentationSOPInstanceUID"] == seg.SOPInstanceUID
    assert volumes[0] == pytest.approx(sum(volumes[1:6]), abs=0.003)
    thick = re.findall(r'\w+:\(,,"Subdural hematoma thicker than 10 mm"\)=(.+)', said)
    assert (
        len(thick) == 2
        and re.search("Yes|No|Undetermined", thick[0])
        and "Bullock 2006" in thick[1]
    )
    assert 'TEXT:(,,"Warning")="NOT_CALIBRATED: No intervals are known."' in said


def test_dcmqi_reads_every_voxel_in_its_place(results: Path, tmp_path: Path) -> None:
    labels = read_ct(results / "ct").volume.geometry
    if not labels.is_orthogonal:
        pytest.skip("dcmqi straightens tilted frames and loses voxels")
    _run(
        _program("segimage2itkimage"),
        "--inputDICOM",
        results / "seg.dcm",
        "--outputDirectory",
        tmp_path,
        "-t",
        "nrrd",
    )
    truth = true_labels(labels)
    seg = pydicom.dcmread(results / "seg.dcm")
    for subtype in Subtype:
        path = tmp_path / f"{int(subtype)}.nrrd"
        voxels, header = nrrd.read(str(path)) if path.exists() else (np.zeros((1, 1, 1)), None)
        if not seg.pixel_array.any():
            assert not voxels.any()
            continue
        lps = np.argwhere(voxels) @ header["space directions"] + header["space origin"]
        expected = labels.to_world(np.argwhere(truth.voxels == subtype)) * [-1, -1, 1]
        assert len(lps) == len(expected)
        assert np.abs(lps.mean(axis=0) - expected.mean(axis=0)).max() < 1e-3


def test_what_dcmqi_writes_is_read_where_it_is(results: Path, tmp_path: Path) -> None:
    """Its own grid has the slices in another direction, so voxels are compared by place; tilted
    ones it straightens.
    """
    scan = read_ct(results / "ct")
    truth = true_labels(scan.volume.geometry)
    if not scan.volume.geometry.is_orthogonal:
        pytest.skip("dcmqi knows no tilted grid")
    write_nifti(tmp_path / "labels.nii.gz", truth)
    hemorrhage = {
        "CodeValue": "50960005",
        "CodingSchemeDesignator": "SCT",
        "CodeMeaning": "Hemorrhage",
    }
    kind = {
        "CodeValue": "49755003",
        "CodingSchemeDesignator": "SCT",
        "CodeMeaning": "Morphologically Abnormal Structure",
    }
    segments = [
        {
            "labelID": int(s),
            "SegmentLabel": label_of(s).name,
            "SegmentDescription": label_of(s).name,
            "SegmentAlgorithmType": "MANUAL",
            "SegmentedPropertyCategoryCodeSequence": kind,
            "SegmentedPropertyTypeCodeSequence": hemorrhage,
        }
        for s in Subtype
    ]
    about = {
        "ContentCreatorName": "Reader",
        "SeriesDescription": "Drawn",
        "SeriesNumber": "300",
        "InstanceNumber": "1",
    }
    (tmp_path / "meta.json").write_text(json.dumps(about | {"segmentAttributes": [segments]}))
    _run(
        *(
            _program("itkimage2segimage"),
            "--inputImageList",
            tmp_path / "labels.nii.gz",
            "--skip",
            "1",
        ),
        *("--inputDICOMDirectory", results / "ct", "--inputMetadata", tmp_path / "meta.json"),
        *("--outputDICOM", tmp_path / "theirs.dcm"),
    )
    on_ct = read_labels(
        tmp_path / "theirs.dcm", Subtype, grid=scan.volume.geometry, source=scan.source
    )
    assert on_ct.geometry == scan.volume.geometry and np.array_equal(on_ct.voxels, truth.voxels)
    alone = read_labels(tmp_path / "theirs.dcm", Subtype)
    for subtype in Subtype:
        assert alone.volume_ml(subtype) == pytest.approx(truth.volume_ml(subtype), rel=1e-4)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command prefix that runs a program on Orthanc's own loopback network."""
    folder, orthanc = tmp_path_factory.mktemp("orthanc"), _program("Orthanc")
    if not DICOMWEB.exists():
        pytest.skip("orthanc-dicomweb is not installed")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("this machine forbids network namespaces")
    settings = {
        **PORTS,
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "Plugins": [str(DICOMWEB)],
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"reader": "s3cret"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    up = (
        "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, "
        "struct.pack('16sh14x', b'lo', 1))"
    )
    command = f'"{sys.executable}" -c "{up}" && exec "{orthanc}" "{folder}/orthanc.json"'
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(["unshare", "-n", "sh", "-c", command], stdout=log, stderr=log)
    inside = ["nsenter", "-t", str(server.pid), "-n"]
    try:
        for _ in range(120):
            if "Orthanc has started" in (folder / "log").read_text():
                break
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.5)
        yield inside
    finally:
        server.terminate()
        server.wait(30)


SEND = {
    "dicomweb": ["--url", "http://127.0.0.1:8042/dicom-web"],
    "dimse": ["--host", "127.0.0.1", "--port", "4242", "--called", "ORTHANC"],
}
FETCH = """
import sys, requests
base, auth = "http://127.0.0.1:8042", ("reader", "s3cret")
for uid in sys.argv[2:]:
    (found,) = requests.post(f"{base}/tools/lookup", data=uid, auth=auth).json()
    open(f"{sys.argv[1]}/{uid}.dcm", "wb").write(requests.get(f"{base}{found['Path']}/file", auth=auth).content)
    requests.delete(f"{base}{found['Path']}", auth=auth).raise_for_status()
"""


@pytest.mark.parametrize("how", SEND)
def test_an_archive_takes_and_gives_back(
    results: Path, archive: list[str], tmp_path: Path, how: str
) -> None:
    ours = {name: pydicom.dcmread(results / name) for name in OURS}
    send = [
        *archive,
        sys.executable,
        "-m",
        "monai_ich.cli",
        "send",
        results,
        "--to",
        how,
        *SEND[how],
    ]
    said = _run(*send, MONAI_ICH_USER="reader", MONAI_ICH_PASSWORD="s3cret")
    assert said.splitlines() == [f"{name}: accepted" for name in ours]
    _run(
        *archive, sys.executable, "-c", FETCH, tmp_path, *(d.SOPInstanceUID for d in ours.values())
    )
    for name, sent in ours.items():
        got = pydicom.dcmread(tmp_path / f"{sent.SOPInstanceUID}.dcm")
        assert got == sent, name
        assert got.get("PixelData") == sent.get("PixelData")


def test_wrong_credentials_are_refused_and_not_repeated(results: Path, archive: list[str]) -> None:
    send = [
        *archive,
        sys.executable,
        "-m",
        "monai_ich.cli",
        "send",
        results,
        "--to",
        "dicomweb",
        *SEND["dicomweb"],
    ]
    environment = os.environ | {"MONAI_ICH_USER": "reader", "MONAI_ICH_PASSWORD": "wr0ng"}
    done = subprocess.run(
        [str(c) for c in send], capture_output=True, text=True, env=environment, timeout=200
    )
    assert done.returncode == 3 and "NOT_AUTHORIZED" in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr and "DOE" not in done.stdout + done.stderr
