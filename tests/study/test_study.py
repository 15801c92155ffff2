"""Parts of a study that need no Ray."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from monai_ich.core.errors import IchError, InputError, OutputError
from monai_ich.core.scratch import Scratch
from monai_ich.results.files import RESULTS
from monai_ich.study.inputs import StudyCase, list_cases, study_input
from monai_ich.study.results import digest_settings, is_done, read_row, write_tables
from monai_ich.study.run import run_study
from monai_ich.study.summary import write_summary
from monai_ich.study.worker import Outcome, Worker
from tests.manifest_files import write_json
from tests.phantom import grid, series
from tests.study.stub import build, write_head


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyCase, Path]:
    """A case and its results."""
    root = tmp_path_factory.mktemp("study")
    case = StudyCase("c1", (write_head(root / "in" / "c1.nii.gz"),), "p1", "here")
    (root / "cases").mkdir()
    folder = root / "cases" / case.id
    assert Worker(build).analyze(case, folder, "d1") == Outcome("c1")
    return case, folder


def test_a_case_is_done_when_all_its_files_are_there_with_the_same_digest(
    done: tuple[StudyCase, Path],
) -> None:
    _, folder = done
    assert {p.name for p in folder.iterdir()} == set(RESULTS)
    assert [p.name for p in folder.parent.iterdir()] == ["c1"], "nothing is left beside it"
    assert (
        is_done(folder, "d1")
        and not is_done(folder, "d2")
        and not is_done(folder.parent / "c2", "d1")
    )


def test_a_row_is_what_analyze_measured_with_its_patient_warnings_and_time(
    done: tuple[StudyCase, Path],
) -> None:
    case, folder = done
    row = read_row(case, folder)
    measured = json.loads((folder / "measurements.json").read_text())
    assert (row["case_id"], row["patient"], row["site"]) == ("c1", "p1", "here")
    assert row["total_volume_ml"] == measured["total_volume_ml"] > 10 and row["iph_present"] == 1
    assert (
        row["midline_shift_mm"] is None and row["midline_shift_reason"] == "a stub has no midline"
    )
    assert (
        row["warnings"] == " ".join(w["code"] for w in measured["warnings"]) and row["seconds"] > 0
    )


@pytest.mark.slow
def test_tables_keep_types_where_cells_are_empty(
    done: tuple[StudyCase, Path], tmp_path: Path
) -> None:
    row = read_row(*done)
    write_tables(
        tmp_path,
        [row, row | {"case_id": "0012", "midline_shift_mm": 3.5}],
        [Outcome("c3", "NOT_NIFTI", "a, b")],
    )
    parquet = pd.read_parquet(tmp_path / "study.parquet")
    assert list(parquet["case_id"]) == ["c1", "0012"] and list(parquet.columns) == list(row)
    assert (
        parquet["midline_shift_mm"].isna().tolist() == [True, False]
        and parquet["midline_shift_mm"][1] == 3.5
    )
    assert parquet["iph_present"].dtype == "Int64" and parquet["total_volume_ml"].dtype == "Float64"
    kinds = {"btf_edh_volume": "Int64", "helsinki_edh": "Int64", "graeb_left_share": "Float64"}
    kinds |= {"marshall_mass_ml": "Float64", "graeb_reason": "string"}
    assert {name: str(parquet[name].dtype).split("[")[0] for name in kinds} == kinds
    (first, _) = csv.DictReader((tmp_path / "study.csv").open())
    (measured,) = csv.DictReader((done[1] / "measurements.csv").open())
    assert {name: first[name] for name in measured} == measured, "no digit is lost or added"
    (failure,) = csv.DictReader((tmp_path / "failures.csv").open())
    assert failure == {"case_id": "c3", "code": "NOT_NIFTI", "message": "a, b"}


def test_the_summary_counts_links_and_says_why(
    done: tuple[StudyCase, Path], tmp_path: Path
) -> None:
    row = read_row(*done)
    rows = [row, row | {"case_id": "c2", "midline_shift_mm": 4.0}]
    write_summary(tmp_path / "s.html", rows, [Outcome("<c3>", "NOT_NIFTI", "Not <it>.")], total=5)
    page = (tmp_path / "s.html").read_text()
    assert (
        "2 of 5 scans done, 1 failed, 2 left to do." in page
        and 'href="cases/c2/report.html"' in page
    )
    assert "&lt;c3&gt;" in page and "Not &lt;it&gt;." in page and "NOT_NIFTI" in page
    assert (
        f"median {row['total_volume_ml']:.1f} mL" in page
        and "median 4.0 mm" in page
        and page.count("<svg") == 2
    )
    assert "http" not in page and "src=" not in page
    write_summary(tmp_path / "none.html", [], [], total=0)
    assert "0 of 0" in (tmp_path / "none.html").read_text()


def test_what_fails_leaves_nothing_and_names_nobody(tmp_path: Path) -> None:
    worker = Worker(build)
    (tmp_path / "text.nii.gz").write_text("x")
    refused = worker.analyze(
        StudyCase("a", (tmp_path / "text.nii.gz",)), tmp_path / "out" / "a", "d"
    )
    assert refused.code == "INTERNAL_ERROR", "its parent folder must be there"
    (tmp_path / "out").mkdir()
    refused = worker.analyze(
        StudyCase("a", (tmp_path / "text.nii.gz",)), tmp_path / "out" / "a", "d"
    )
    assert refused.code == "NOT_NIFTI"
    fault = worker.analyze(StudyCase("b", (tmp_path / "faulty",)), tmp_path / "out" / "b", "d")
    assert fault.code == "INTERNAL_ERROR" and "ZeroDivisionError in stub.py, line" in fault.message
    assert "DOE" not in fault.message and not any((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_new_results_take_the_place_of_old_ones_and_a_failure_leaves_those(tmp_path: Path) -> None:
    case, worker = StudyCase("a", (write_head(tmp_path / "a.nii.gz"),)), Worker(build)
    folder = tmp_path / "out" / "a"
    folder.mkdir(parents=True)
    (folder / "old").touch()
    gone = replace(case, image=(tmp_path / "nowhere.nii.gz",))
    assert worker.analyze(gone, folder, "d").code == "INPUT_NOT_FOUND" and (folder / "old").exists()
    assert worker.analyze(case, folder, "d").code == "" and not (folder / "old").exists()


@pytest.mark.slow
def test_a_series_that_lies_among_others_is_read_by_its_list(tmp_path: Path) -> None:
    folder = series(tmp_path / "all", grid(pixels=48, pixel_mm=4.3, slice_mm=8.0, count=20))
    paths = tuple(sorted(folder.iterdir()))
    series(tmp_path / "other", grid(pixels=32, pixel_mm=6.4, count=8), seed=2)
    for path in (tmp_path / "other").iterdir():
        shutil.move(path, folder / f"other-{path.name}")
    (tmp_path / "out").mkdir()
    assert Worker(build).analyze(StudyCase("a", paths), tmp_path / "out" / "a", "d").code == ""
    short = Worker(build).analyze(
        StudyCase("b", (*paths[:8], *paths[9:])), tmp_path / "out" / "b", "d"
    )
    assert short.code == "MISSING_SLICES"


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["case_003.nii.gz", "case_12.zip", "scan7"], ["case_003", "case_12", "scan7"]),
        (["DOE_JANE.nii", "case_1.nii"], ["case_001", "case_002"]),
        (["case_12345678.nii"], ["case_001"]),
        (["00001234.nii"], ["case_001"]),
        (["1987.nii"], ["case_001"]),
        (["case_000003.nii.gz"], ["case_001"]),
        (["7.nii", "7.zip"], ["case_001", "case_002"]),
    ],
)
def test_names_of_files_become_ids_only_where_they_are_harmless(
    tmp_path: Path, names: list[str], ids: list[str]
) -> None:
    for name in names:
        (tmp_path / name).touch() if "." in name else (tmp_path / name).mkdir()
    for noise in ("notes.txt", ".hidden.nii", "dataset.json"):
        (tmp_path / noise).touch()
    found = list_cases(tmp_path)
    assert [c.id for c in found] == ids and [c.image[0].name for c in found] == sorted(names)


def test_names_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "DOE_JANE.nii.gz").touch()
    assert [c.id for c in list_cases(tmp_path, keep_names=True)] == ["DOE_JANE"]


def test_a_manifest_gives_its_ids_patients_and_sites(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "image": "a.nii", "patient": "p", "site": "s"},
        {"id": "b", "image": ["1.dcm", "2.dcm"]},
    ]
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": {}, "test": rows}
    first, second = list_cases(write_json(tmp_path / "m.json", record))
    assert first == StudyCase("a", (tmp_path / "a.nii",), "p", "s") and len(second.image) == 2


@pytest.mark.parametrize(
    ("path", "code"), [("nowhere", "INPUT_NOT_FOUND"), ("empty", "NO_CASES"), ("a.nii", "NO_CASES")]
)
def test_what_holds_no_scans_is_refused(tmp_path: Path, path: str, code: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.nii").touch()
    with pytest.raises(InputError, match=code):
        list_cases(tmp_path / path)


def test_the_digest_follows_settings_and_input(tmp_path: Path) -> None:
    path = write_head(tmp_path / "in" / "a.nii.gz")
    case = StudyCase("a", (tmp_path / "in",))
    first = case.digest("s")
    assert first == case.digest("s") == replace(case, id="b").digest("s") != case.digest("t")
    os.utime(path, (1, 1))
    assert case.digest("s") != first
    assert digest_settings({"x": 1}) == digest_settings({"x": 1}) != digest_settings({"x": 2})
    assert StudyCase("a", (tmp_path / "nowhere",)).digest("s") != first


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="STUDY_RUNNING"):
            run_study([], tmp_path, build=build, settings="s")
    assert run_study([], tmp_path, build=build, settings="s").rows == ()
    with pytest.raises(IchError, match="OUTPUT_NOT_WRITABLE"):
        run_study([], tmp_path / ".lock", build=build, settings="s")


def _damage(folder: Path, name: str, how: str) -> None:
    whole = (folder / name).read_bytes()
    cuts = {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "last": whole[:-1],
        "zeros": bytes(len(whole)),
    }
    cuts |= {"another": whole.replace(b"c1", b"c2"), "text": b"[]\n", "binary": b"\xff\xfe" + whole}
    (folder / name).write_bytes(cuts[how])


@pytest.mark.parametrize("how", ["empty", "half", "last", "zeros", "another", "text", "binary"])
@pytest.mark.parametrize("name", ["measurements.csv", "measurements.json", "provenance.json"])
def test_a_case_whose_row_cannot_be_read_is_not_done(
    done: tuple[StudyCase, Path], tmp_path: Path, name: str, how: str
) -> None:
    case, whole = done
    folder = Path(shutil.copytree(whole, tmp_path / "c1"))
    _damage(folder, name, how)
    if (how == "another" and name == "provenance.json") or (
        how == "last" and name.endswith("json")
    ):
        assert is_done(folder, "d1") and read_row(case, folder) == read_row(*done), (
            "nothing is lost"
        )
        return
    with pytest.raises(InputError, match="RESULTS_DAMAGED"):
        assert is_done(folder, "d1")
        read_row(case, folder)


def test_a_table_of_another_run_is_damage(done: tuple[StudyCase, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(done[1], tmp_path / "c1"))
    found = json.loads((folder / "measurements.json").read_text())
    found["subtypes"]["IPH"]["volume_ml"] += 0.001
    (folder / "measurements.json").write_text(json.dumps(found))
    with pytest.raises(InputError, match="RESULTS_DAMAGED"):
        read_row(done[0], folder)


def test_what_a_killed_worker_left_is_swept_and_what_another_uses_is_not(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    (cases / ".partial-0123456789abcdef").mkdir(parents=True)
    (cases / ".partial-0123456789abcdef" / "ct.nii.gz").touch()
    if os.fork() == 0:
        scratch = Scratch(cases)
        (scratch.folder / "ct.nii.gz").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
    assert len(list(cases.iterdir())) == 2
    run_study([], tmp_path, build=build, settings="s")
    assert not list(cases.iterdir())


def test_a_study_says_what_it_passes_over(tmp_path: Path) -> None:
    for name in (
        "a.nii.gz",
        "b.nrrd",
        "c.mha",
        "d.MHA",
        "DOE_JANE",
        "1.2.840.5",
        "notes.txt",
        ".hidden",
    ):
        (tmp_path / name).touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "real").mkdir()
    (tmp_path / "there").symlink_to(tmp_path / "real")
    found = study_input(tmp_path)
    assert [case.image[0].name for case in found.cases] == ["a.nii.gz", "real", "there"]
    assert found.passed_over_words() == (
        "Passed over beside the scans: .mha files (2), .nrrd files (1), broken links (1), "
        "files without an extension (2), other files (1)."
    )
    only = tmp_path / "only"
    only.mkdir()
    (only / "DOE.mha").touch()
    with pytest.raises(
        InputError, match=r"NO_CASES: .*Passed over beside the scans: \.mha files \(1\)\."
    ) as refused:
        study_input(only)
    assert "DOE" not in refused.value.message


def _bids(root: Path, *images: str) -> Path:
    for image in images:
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).touch()
    for name in ("dataset_description.json", "participants.tsv", "README"):
        (root / name).touch()
    (root / "derivatives").mkdir()
    return root


def test_a_bids_folder_is_a_study(tmp_path: Path) -> None:
    images = ("sub-01/ses-1/ct/sub-01_ses-1_ct.nii.gz", "sub-01/ses-2/ct/sub-01_ses-2_run-1_ct.nii")
    root = _bids(tmp_path, *images, "sub-02/ct/sub-02_ct.nii.gz", "sub-03/anat/sub-03_T1w.nii.gz")
    (root / "sub-02/ct/sub-02_ct.json").touch()
    (root / "sub-02/ct/sub-02_mask.nii.gz").touch()
    found = study_input(root)
    assert [(case.id, case.patient) for case in found.cases] == [
        ("sub-01_ses-1", "sub-01"),
        ("sub-01_ses-2_run-1", "sub-01"),
        ("sub-02", "sub-02"),
    ]
    assert found.cases[0].image == (root / images[0],)
    assert found.passed_over == {"subjects without a CT": 1, "other NIfTI files": 1}


def test_subjects_that_may_name_somebody_are_numbered(tmp_path: Path) -> None:
    root = _bids(
        tmp_path,
        *(f"sub-doe/ses-{n}/ct/sub-doe_ses-{n}_ct.nii.gz" for n in (1, 2)),
        "sub-1/ct/sub-1_ct.nii",
    )
    assert [(case.id, case.patient) for case in study_input(root).cases] == [
        ("case_001", "patient_001"),
        ("case_002", "patient_002"),
        ("case_003", "patient_002"),
    ]
    assert study_input(root, keep_names=True).cases[1].id == "sub-doe_ses-1"
