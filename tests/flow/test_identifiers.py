"""No identifier leaves unless it was asked for: unique marks in every identifying tag, and a search
for each of them.

Searched is every byte that is written (also unpacked) and all that is said, in success and in
refusals.
"""

from __future__ import annotations

import gzip
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from monai_ich.cli.app import main
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import read_nifti_ct, write_nifti
from monai_ich.manifest.manifest import Case, Manifest, write_manifest
from monai_ich.results.files import EDEMA, RESULTS
from monai_ich.study.inputs import list_cases
from monai_ich.synth.dataset import design_case, write_case
from tests.phantom import edit, grid, series
from tests.processes import run_module

# text tags get a word, dates and UIDs digits that occur nowhere else
WORDS = [
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "PatientBirthName",
    "PatientMotherBirthName",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "PatientComments",
    "IssuerOfPatientID",
    "MilitaryRank",
    "EthnicGroup",
    "Occupation",
    "AdditionalPatientHistory",
    "AccessionNumber",
    "StudyID",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "StationName",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy",
    "OperatorsName",
    "RequestingPhysician",
    "RequestedProcedureDescription",
    "DeviceSerialNumber",
    "ProtocolName",
    "StudyDescription",
    "SeriesDescription",
    "ImageComments",
    "StudyComments",
    "PerformedProcedureStepID",
    "RequestedProcedureID",
    "CurrentPatientLocation",
    "AdmissionID",
]
DATES = [
    "PatientBirthDate",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "InstanceCreationDate",
    "PerformedProcedureStepStartDate",
]
UIDS = [
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
]


def _marks() -> dict[str, str]:
    marks = {name: f"ZQ{n:02d}QZ" for n, name in enumerate(WORDS)}
    marks |= {name: f"19{31 + n}0{n + 1}1{n}" for n, name in enumerate(DATES)}
    return marks | {
        name: f"1.2.826.0.1.3680043.{91300 + n}.778899{n}" for n, name in enumerate(UIDS)
    }


MARKS = _marks()
FOLDER = "ZQDOE^JANEQZ"
FILE = "ZQFILEQZ"


def _mark(d: pydicom.Dataset, n: int) -> None:
    for name, value in MARKS.items():
        setattr(d, name, f"{value} head" if name == "SeriesDescription" else value)
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = (
        f"{MARKS['SeriesInstanceUID']}.{n + 1}"
    )
    d.add_new((0x0009, 0x0010), "LO", "ZQPRIVATEQZ")
    d.add_new((0x0009, 0x1001), "LO", "ZQPRIVATEQZ")


def _marked(root: Path, source: Path) -> Path:
    folder = root / FOLDER / FILE
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, folder)
    edit(folder, _mark)
    for n, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{FILE}{n}.dcm")
    return folder


def _bytes_of(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == b"NRRD":
        yield gzip.decompress(data.split(b"\n\n", 1)[1])


def _found(data: bytes) -> list[str]:
    """Marks in the data; of a UID its last part is enough."""
    marks = {name: value.rsplit(".", 1)[-1] for name, value in MARKS.items()}
    marks |= {"folder": "DOE^JANE", "folder ": "ZQDOE", "file": FILE, "private": "ZQPRIVATE"}
    return [name for name, value in marks.items() if value.encode() in data]


def _quiet(code: int, *words: object, folder: Path) -> None:
    """The command ends with this code and says no mark."""
    done = run_module("monai_ich.cli", *words, folder=folder)
    assert done.returncode == code, done.stderr[-2000:]
    assert not _found((done.stdout + done.stderr).encode())


def _clean(folder: Path) -> int:
    """How many files were searched."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        assert not _found(path.name.encode()), path.name
        for data in _bytes_of(path):
            assert not _found(data), f"{path.name} holds {_found(data)}"
    return len(files)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return _marked(tmp_path / "in", series(tmp_path / "plain", grid(tilt_deg=12)))


def _run(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, *args: object) -> int:
    """The exit code; what was said must be clean."""
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    capfd.readouterr()
    status = main([str(a) for a in args])
    said = capfd.readouterr()
    text = f"{said.out}\n{said.err}\n{caplog.text}".encode()
    assert not _found(text), f"{_found(text)} in: {text.decode()[:2000]}"
    return status


def test_the_marks_are_in_the_series_and_are_found(study: Path) -> None:
    path = next(study.iterdir())
    assert set(_found(path.read_bytes() + path.name.encode() + str(path).encode())) >= set(MARKS)


@pytest.mark.slow
def test_import_writes_and_says_no_identifier(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    for name, extra in (
        ("a.nii.gz", ()),
        ("b.nii.gz", ("--spacing", 3, 3, "native")),
        ("c.nii.gz", ("--series", 1)),
    ):
        args = ["-o", out / name, "--report", out / f"{name}.json", *extra]
        assert _run(capfd, caplog, "import", study, *args) == 0
    assert _run(capfd, caplog, "import", study, "--list") == 0
    assert (
        _run(capfd, caplog, "resample", _mask(out), "--like", study, "-o", out / "back.nii.gz") == 0
    )
    assert _clean(out) == 8
    header = nib.load(out / "a.nii.gz").header
    assert {
        bytes(header[k].tobytes()).strip(b"\0")
        for k in ("descrip", "aux_file", "intent_name", "db_name")
    } == {b""}


def _mask(folder: Path) -> Path:
    geometry = read_nifti_ct(folder / "b.nii.gz").geometry
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[20:30, 20:30, 10:12] = 1
    write_nifti(folder / "mask.nii.gz", LabelMap(voxels, geometry, Subtype))
    return folder / "mask.nii.gz"


def _damage(folder: Path, how: str) -> None:
    files = sorted(folder.iterdir())
    if how == "missing slice":
        files[10].unlink()
    elif how == "truncated":
        files[10].write_bytes(files[10].read_bytes()[:3000])
    elif how == "short header":
        files[10].write_bytes(files[10].read_bytes()[:600])
    elif how == "localizer":
        _change(files, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    elif how == "modality":
        _change(files, Modality="MR")
    elif how == "two studies":
        shutil.copytree(folder, folder.parent / "two")
        for n, path in enumerate(sorted((folder.parent / "two").iterdir())):
            uid = f"1.2.3.{MARKS['StudyInstanceUID'].rsplit('.', 1)[-1]}"
            _change(
                [path],
                StudyInstanceUID=uid,
                SeriesInstanceUID=f"{uid}.1",
                SOPInstanceUID=f"{uid}.1.{n}",
            )
    elif how == "no rescale":
        for path in files:
            d = pydicom.dcmread(path)
            del d.RescaleSlope, d.RescaleIntercept
            d.save_as(path)
    elif how == "position":
        _change(files[5:6], ImagePositionPatient=["0", "0", "nan"])


def _change(files: list[Path], **values: object) -> None:
    for path in files:
        d = pydicom.dcmread(path)
        for name, value in values.items():
            setattr(d, name, value)
        d.save_as(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        *(
            "missing slice",
            "truncated",
            "short header",
            "localizer",
            "modality",
            "two studies",
            "no rescale",
            "position",
        ),
    ],
)
def test_refusals_say_and_write_no_identifier(
    study: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    _damage(study, how)
    out = tmp_path / "out"
    args = ["-o", out / "ct.nii.gz", "--report", out / "r.json"]
    assert _run(capfd, caplog, "import", study.parent, *args) == 3
    assert _run(capfd, caplog, "--json-errors", "import", study.parent, *args) == 3
    assert _run(capfd, caplog, "import", study.parent, "--list") == 0
    assert _run(capfd, caplog, "analyze", study.parent, "-o", out / "results") == 3
    assert _clean(out) == 1


def test_a_refusal_by_name_does_not_repeat_the_path(
    study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for command in ("import", "analyze"):
        assert _run(capfd, caplog, command, study / "nowhere", "-o", tmp_path / "ct.nii.gz") == 3
        assert (
            _run(capfd, caplog, command, study / "nowhere.nii.gz", "-o", tmp_path / "ct.nii.gz")
            == 3
        )
    assert _run(capfd, caplog, "measure", study / "nowhere.nii.gz", "-o", tmp_path / "out") == 3


def test_ids_are_kept_where_they_are_asked_for(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    args = ["-o", str(out / "ct.nii"), "--report", str(out / "r.json"), "--keep-ids"]
    assert main(["import", str(study), *args]) == 0
    (row,) = json.loads((out / "r.json").read_text())["series"]
    wanted = {
        "patient_id": "PatientID",
        "study_uid": "StudyInstanceUID",
        "series_uid": "SeriesInstanceUID",
    }
    assert {key: row[key] for key in wanted} == {key: MARKS[tag] for key, tag in wanted.items()}
    assert main(["import", str(study), "--list", "--keep-ids"]) == 0
    assert MARKS["SeriesInstanceUID"] in capsys.readouterr().out
    geometry = read_nifti_ct(out / "ct.nii").geometry
    write_nifti(out / "mask.nii", LabelMap(np.zeros(geometry.shape, np.uint8), geometry, Subtype))
    measure = ["measure", str(out / "mask.nii"), "--ct", str(study)]
    assert main([*measure, "-o", str(out / "kept"), "--keep-ids"]) == 0
    assert main([*measure, "-o", str(out / "not")]) == 0
    kept = json.loads((out / "kept" / "measurements.json").read_text())
    assert {key: kept[key] for key in wanted} == {key: MARKS[tag] for key, tag in wanted.items()}
    for name in ("measurements.csv", "lesions.csv", "slices.csv"):
        assert (
            "patient_id,study_uid,series_uid" in (out / "kept" / name).read_text().splitlines()[0]
        )
    assert MARKS["PatientID"] in (out / "kept" / "slices.csv").read_text()
    assert _clean(out / "not") == 4


@pytest.mark.slow
def test_an_analysis_holds_no_identifier(tmp_path: Path) -> None:
    """The whole pipeline in its own process, MLflow included; then once more with --keep-ids."""
    case = design_case(77, hemorrhages={Subtype.IPH: 40.0}, tilt_deg=15, thickness_mm=5)
    study = _marked(tmp_path / "in", write_case(case, tmp_path / "plain", dicom=True) / "dicom")
    out, store = tmp_path / "out", f"sqlite:///{tmp_path}/mlflow/runs.db"
    (tmp_path / "mlflow").mkdir()
    analyze = ("analyze", study, "--device", "cpu", "-o", out)
    _quiet(0, *analyze, "--mlflow", store, "--keep-ids", folder=tmp_path / "mlflow")
    assert _clean(tmp_path / "mlflow") >= 3
    assert _found((out / "measurements.json").read_bytes()) == [
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
    ]
    _quiet(0, *analyze, "--overwrite", folder=tmp_path)
    assert _clean(out) == len({*RESULTS, EDEMA})


@pytest.mark.slow
def test_a_study_and_what_is_made_of_it_hold_no_identifier(tmp_path: Path) -> None:
    """Two scans, one of them broken, in a manifest: study, resumed study, evaluation with MLflow,
    follow-up.
    """
    case = design_case(77, hemorrhages={Subtype.IPH: 40.0}, pixels=96, thickness_mm=8)
    case = replace(case, scanner=replace(case.scanner, window_hu=None, pictures=None))
    plain = write_case(case, tmp_path / "plain", dicom=True)
    good = _marked(tmp_path / "good", plain / "dicom")
    broken = _marked(tmp_path / "broken", plain / "dicom")
    cut = sorted(broken.iterdir())[5]
    cut.write_bytes(cut.read_bytes()[:-1000])
    names = {value: name for value, name in enumerate(("EDH", "IPH", "IVH", "SAH", "SDH"), start=1)}
    mask = good.parent / f"{FILE}.nii.gz"
    shutil.copyfile(plain / "ich.nii.gz", mask)
    cases = tuple(Case(name, "test", (scan,), mask) for name, scan in (("a", good), ("b", broken)))
    write_manifest(tmp_path / "in.json", Manifest("mine", cases, names))
    cohort, agreed, later = tmp_path / "cohort", tmp_path / "agreed", tmp_path / "later"
    store = f"sqlite:///{tmp_path}/mlflow/runs.db"
    (tmp_path / "mlflow").mkdir()
    both = (
        "--manifest",
        tmp_path / "in.json",
        "--predictions",
        cohort,
        "-o",
        agreed,
        "--mlflow",
        store,
    )
    for code, words in (
        (4, ("study", tmp_path / "in.json", "-o", cohort, "--workers", 1, "--device", "cpu")),
        (4, ("study", tmp_path / "in.json", "-o", cohort, "--workers", 1, "--device", "cpu")),
        (4, ("evaluate", *both)),
        (0, ("followup", cohort / "cases" / "a", tmp_path / "again", "-o", later)),
    ):
        if words[0] == "followup":
            shutil.copytree(cohort / "cases" / "a", tmp_path / "again")
        _quiet(code, *words, folder=tmp_path / "mlflow")
    assert (
        _clean(cohort) > 15
        and _clean(agreed) >= 5
        and _clean(later) == 3
        and _clean(tmp_path / "mlflow") >= 3
    )


@pytest.mark.parametrize(
    "tag", ["Modality", "RescaleType", "ConvolutionKernel", "BodyPartExamined", "ImageType"]
)
def test_a_text_of_a_header_is_repeated_only_where_it_is_a_word_of_dicom(
    study: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tag: str,
) -> None:
    _change(sorted(study.iterdir()), **{tag: f"{MARKS['PatientName']} BONE"[:16]})
    out = tmp_path / "out"
    assert _run(capfd, caplog, "import", study, "--list") == 0
    args = ["-o", out / "ct.nii.gz", "--report", out / "r.json"]
    assert _run(capfd, caplog, "import", study, *args) in (0, 3)
    assert _clean(out) >= 1


def test_no_command_repeats_a_path(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    here = tmp_path / FOLDER
    (here / "a").mkdir(parents=True)
    (here / "b").mkdir()
    (here / f"{FILE}.json").write_text("nothing")
    for text in (None, "nothing", '{"schema": "ZQDOE"}'):
        if text is not None:
            (here / "a" / "measurements.json").write_text(text)
        assert _run(capfd, caplog, "followup", here / "a", here / "b", "-o", tmp_path / "out") == 3
    assert (
        _run(capfd, caplog, "followup", here / "nowhere", here / "b", "-o", tmp_path / "out") == 3
    )
    for words in (
        ("manifest", "check", here / f"{FILE}.json"),
        ("manifest", "build", "bhsd", here, "-o", tmp_path / "m.json"),
        (
            "evaluate",
            "--manifest",
            here / f"{FILE}.json",
            "--predictions",
            here,
            "-o",
            tmp_path / "out",
        ),
        ("study", here / f"{FILE}.json", "-o", tmp_path / "out"),
        ("resample", here / f"{FILE}.nii", "--like", here, "-o", tmp_path / "m.nii"),
        ("measure", here / f"{FILE}.seg.nrrd", "-o", here / "out"),
    ):
        assert _run(capfd, caplog, *words) == 3


def test_a_case_is_not_named_after_its_file(tmp_path: Path) -> None:
    for name in (f"{FOLDER}.nii.gz", "00001234.nii.gz", "1987.nii.gz"):
        (tmp_path / name).touch()
    assert [case.id for case in list_cases(tmp_path)] == ["case_001", "case_002", "case_003"]
