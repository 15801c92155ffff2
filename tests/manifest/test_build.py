"""Manifests of public data sets, from miniature trees that are laid out like the real ones."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from monai_ich.cli.app import main
from monai_ich.cli.manifest import DATA_SETS
from monai_ich.core.errors import ManifestError
from monai_ich.manifest.build import BUILDERS, build_manifest
from monai_ich.manifest.check import check_manifest
from monai_ich.manifest.manifest import Case, Manifest, read_manifest
from tests.conftest import ROOT
from tests.manifest_files import write_mask, write_scan
from tests.phantom import files, grid, series
from tests.rsna_files import write_rsna

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
NONE = dict.fromkeys(("EDH", "IPH", "IVH", "SAH", "SDH", "any"), 0)


def built(name: str, folder: Path) -> dict[str, Case]:
    """Through the command line, read back and checked; by id."""
    out = folder.parent / "lists" / f"{name}.json"
    assert main(["manifest", "build", name, str(folder), "-o", str(out), "--keep-ids"]) == 0
    assert [fault.code for fault in check_manifest(out)] == []
    return {case.id: case for case in read_manifest(out).cases}


def test_bhsd_as_hugging_face_gives_it(tmp_path: Path) -> None:
    root = tmp_path / "BHSD" / "label_192"
    for n, (name, values) in enumerate(
        {"ID_2db7ee14_ID_2591d00dfc": (2, 5), "ID_2db7ee14_ID_f27e38fdfd": ()}.items()
    ):
        write_scan(root / "images" / f"{name}.nii.gz", n)
        write_mask(root / "ground truths" / f"{name}.nii.gz", *values)
    found = built("bhsd", tmp_path / "BHSD")
    first, second = found["ID_2db7ee14_ID_2591d00dfc"], found["ID_2db7ee14_ID_f27e38fdfd"]
    assert first.patient == second.patient == "ID_2db7ee14", "a patient's two studies"
    assert first.exam_labels == NONE | {"IPH": 1, "SDH": 1, "any": 1} and second.exam_labels == NONE
    assert first.split == "training" and first.label is not None and first.label.is_file()


def test_names_that_may_be_record_numbers_are_numbered(tmp_path: Path) -> None:
    for n, name in enumerate(
        ("ID_2db71114_ID_2591d00dfc", "ID_2db71114_ID_f27e38fdfd", "ID_0237f3c9_ID_40015688b9")
    ):
        write_scan(tmp_path / "b" / "label_192" / "images" / f"{name}.nii.gz", n)
        write_mask(tmp_path / "b" / "label_192" / "ground truths" / f"{name}.nii.gz", 2)
    assert (
        main(["manifest", "build", "bhsd", str(tmp_path / "b"), "-o", str(tmp_path / "m.json")])
        == 0
    )
    cases = read_manifest(tmp_path / "m.json").cases
    assert [case.id for case in cases] == ["case_001", "case_002", "case_003"]
    assert len({case.patient for case in cases}) == 2 and all(
        c.patient.startswith("patient_0") for c in cases
    )


def test_bhsd_as_its_own_list_has_it(tmp_path: Path) -> None:
    for n, (split, name) in enumerate(
        {"Tr": "ID_05331dc6_ID_47213b7e2e", "Ts": "ID_0237f3c9_ID_40015688b9"}.items()
    ):
        write_scan(tmp_path / "b" / f"images{split}" / f"{name}.nii.gz", n)
        write_mask(tmp_path / "b" / f"labels{split}" / f"{name}.nii.gz", 1)
    assert [c.split for c in built("bhsd", tmp_path / "b").values()] == ["training", "test"]


def test_instance_2022(tmp_path: Path) -> None:
    root = tmp_path / "INSTANCE"
    for number, values in {"001": (1,), "002": ()}.items():
        write_scan(root / "train_2" / "data" / f"{number}.nii.gz", int(number))
        write_mask(root / "train_2" / "label" / f"{number}.nii.gz", *values)
    write_scan(root / "evaluation" / "101.nii.gz", 101)
    found = built("instance2022", root)
    assert found["train-001"].exam_labels == {"any": 1} and found["train-002"].exam_labels == {
        "any": 0
    }
    assert found["eval-101"].split == "test" and found["eval-101"].label is None


def test_physionet_ctich(tmp_path: Path) -> None:
    root = tmp_path / "ct-ich"
    for number, values in {"049": (255,), "050": (), "067": (1,)}.items():
        write_scan(root / "ct_scans" / f"{number}.nii", int(number), slices=3)
        write_mask(root / "masks" / f"{number}.nii", *values, slices=3)
    columns = (
        "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural"
    )
    rows = ["49,1,0,0,0,0,0,1,0", "49,2,0,1,0,0,1,0,0", "49,3,0,0,0,0,0,0,0"]
    rows += ["50,1,0,0,0,0,0,1,0", "50,3,0,0,0,0,0,1,1", "60,1,1,0,0,0,0,0,0"]
    table = "\n".join([f"\ufeff{columns},No_Hemorrhage,Fracture_Yes_No", *rows])
    (root / "hemorrhage_diagnosis_raw_ct.csv").write_text(table + "\n", encoding="utf-8")
    found = built("ctich", root)
    assert list(found) == ["049", "050", "067"], "60 is in the table, its scan was never published"
    assert found["049"].slice_labels == ((), ("IPH", "SDH"), ("any",))
    assert found["049"].exam_labels == NONE | {"IPH": 1, "SDH": 1, "any": 1}
    assert found["050"].slice_labels == ((), None, ()) and found["050"].exam_labels == NONE
    assert found["067"].exam_labels is None and found["067"].slice_labels is None


def test_cq500(tmp_path: Path) -> None:
    root = tmp_path / "CQ500"
    kinds = ("ICH", "IPH", "IVH", "SDH", "EDH", "SAH")
    header = ["name", "Category", *(f"R{n}:{k}" for n in (1, 2, 3) for k in (*kinds, "Fracture"))]
    reads = {
        0: ["1100000", "1000000", "0000001"],
        7: ["1010000", "1010000", "1110000"],
        9: ["0000000"] * 3,
    }
    lines = [",".join(header)]
    lines += [",".join([f"CQ500-CT-{n}", "B1", *"".join(votes)]) for n, votes in reads.items()]
    root.mkdir()
    (root / "reads.csv").write_text("\n".join(lines) + "\n")
    plain = root / "qct01" / "CQ500CT0 CQ500CT0" / "Unknown Study" / "CT Plain"
    head = grid(pixels=32, pixel_mm=6.4, count=28)
    series(plain, head)
    series(root / "CQ500-CT-7" / "CQ500CT7_CQ500CT7" / "CT 5mm", head, seed=2)
    with zipfile.ZipFile(root / "CQ500-CT-30.zip", "w") as packed:
        for path in files(series(tmp_path / "other", head, seed=3)):
            packed.write(path, path.name)
    found = built("cq500", root)
    assert list(found) == ["CQ500-CT-0", "CQ500-CT-7", "CQ500-CT-30"], "9 was not downloaded"
    assert found["CQ500-CT-0"].image == (
        root.parent / "lists" / "../CQ500/qct01/CQ500CT0 CQ500CT0",
    )
    assert found["CQ500-CT-0"].exam_labels == NONE | {"any": 1}, (
        "two of three saw blood, one of them said which"
    )
    assert found["CQ500-CT-7"].exam_labels == NONE | {"IVH": 1, "any": 1}
    assert found["CQ500-CT-30"].exam_labels is None


@pytest.mark.parametrize("tag", ["PatientID", "StudyInstanceUID"])
def test_ids_of_another_kind_are_refused_and_not_repeated(
    tmp_path: Path, tag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_rsna(tmp_path / "rsna", **{tag: "1.2.777"})
    assert main(["manifest", "build", "rsna2019", str(root), "-o", str(tmp_path / "m.json")]) == 3
    said = capsys.readouterr().err
    assert "NOT_PSEUDONYM" in said and "777" not in said and not (tmp_path / "m.json").exists()
    for name, place in (("bhsd", "images"), ("instance2022", "data")):
        write_scan(tmp_path / name / place / "DOE_JANE.nii.gz", 1)
        with pytest.raises(ManifestError, match="NOT_PSEUDONYM") as refused:
            build_manifest(name, tmp_path / name)
        assert "DOE" not in str(refused.value)


@pytest.mark.parametrize("name", DATA_SETS)
def test_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError, match="NO_CASES"):
        build_manifest(name, tmp_path)


@pytest.mark.parametrize("name", DATA_SETS)
def test_each_data_set_has_a_card_with_its_licence_labels_and_faults(name: str) -> None:
    assert tuple(BUILDERS) == DATA_SETS
    card = (ROOT / "data_manifests" / f"{name}.md").read_text()
    rows = [line.split("|")[1].strip() for line in card.splitlines() if line.count("|") >= 3]
    assert {"source", "licence", "labels", "patients", "known faults", "verified"} <= set(rows)


def test_an_earlier_manifest_stays(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    out.write_text(json.dumps({}))
    write_scan(tmp_path / "data" / "001.nii.gz", 1)
    build = ["manifest", "build", "instance2022", str(tmp_path), "-o", str(out)]
    assert main(build) == 3 and out.read_text() == "{}"
    assert main([*build, "--overwrite"]) == 0
    assert isinstance(read_manifest(out), Manifest)
