"""Reading, checking and splitting manifests."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.errors import ManifestError
from monai_ich.core.labels import EDEMA, Subtype, unlabeled
from monai_ich.manifest.check import check_manifest
from monai_ich.manifest.labels import strata_of
from monai_ich.manifest.manifest import Case, Manifest, read_manifest, write_manifest
from monai_ich.manifest.split import assign_folds, split_manifest
from monai_ich.parts.data_list import read_data_list
from monai_ich.synth.dataset import design_case, write_dataset
from tests.bundles.tiny import tiny_head
from tests.manifest_files import AFFINE, write_json, write_mask, write_scan


def codes(path: Path) -> list[str]:
    return [fault.code for fault in check_manifest(path)]


def test_a_manifest_is_read_and_written_back_as_it_was(
    written: Path, record: dict[str, Any]
) -> None:
    manifest = read_manifest(written)
    assert [c.id for c in manifest.cases] == ["c0", "c1", "c2"] and manifest.label_mapping[
        9
    ] == "ignore"
    assert manifest.cases[0].label == written.parent / "mask0.nii.gz"
    again = written.parent / "deep" / "again.json"
    write_manifest(again, manifest)
    rows = json.loads(again.read_text())["training"]
    assert rows[0]["image"] == "../ct0.nii.gz" and rows[0]["slice_labels"] == [
        None,
        [],
        ["SDH"],
        [],
    ]
    write_manifest(written, manifest)
    assert json.loads(written.read_text()) == record


def test_a_sound_manifest_has_no_faults(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest", "check", str(written)]) == 0
    assert capsys.readouterr().out == "no faults found\n"


def test_all_faults_of_the_files_are_found(
    tmp_path: Path, record: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = record["training"]
    write_mask(tmp_path / "mask0.nii.gz", 7, 4)  # 4 has no meaning
    write_mask(tmp_path / "mask1.nii.gz", 2, affine=np.diag([2.0, 2.0, 5.1, 1.0]))
    raw = gzip.decompress((tmp_path / "ct0.nii.gz").read_bytes())
    (tmp_path / "copy.nii").write_bytes(raw)  # the same scan, packed otherwise
    write_scan(tmp_path / "long.nii.gz", 50, slices=9)
    whole = write_scan(tmp_path / "torn.nii.gz", 51, slices=400)
    whole.write_bytes(whole.read_bytes()[:-2000])  # its header can still be read
    (tmp_path / "text.nii.gz").write_text("nothing")
    rows += [
        {"id": "copy", "image": "copy.nii", "patient": "p1"},
        {"id": "gone", "image": "nowhere.nii.gz", "label": "neither.nii.gz"},
        {"id": "long", "image": "long.nii.gz", "slice_labels": [[]]},
        {"id": "torn", "image": "torn.nii.gz"},
        {"id": "text", "image": "text.nii.gz"},
    ]
    rows[0]["exam_labels"] = {"SDH": 1, "any": 0}
    record["validation"][0]["patient"] = "p1"
    record["test"] = [dict(rows[0]) | {"exam_labels": {}}]
    path = write_json(tmp_path / "m.json", record)
    expected = [
        "CONTRADICTORY_LABELS",
        "DUPLICATE_ID",
        "GRID_MISMATCH",
        "MISSING_FILE",
        "NOT_NIFTI",
        "SLICE_COUNT",
    ]
    expected += [
        "DUPLICATE_IMAGE",
        "MISSING_FILE",
        "PATIENT_IN_TWO_SPLITS",
        "PATIENT_IN_TWO_SPLITS",
    ]
    expected += [
        "UNKNOWN_LABEL",
        "UNKNOWN_LABEL",
        "UNREADABLE_FILE",
        "UNREADABLE_FILE",
    ]  # c0 is listed twice
    assert sorted(codes(path)) == sorted(expected)
    assert main(["--json-errors", "manifest", "check", str(path)]) == 3
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert sorted(line["code"] for line in said) == sorted(expected)
    assert main(["manifest", "check", str(path)]) == 3
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 15 and out[-1] == "14 faults found"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "monai-ich/manifest/2"},
        {"label_mapping": {"0": "EDH"}},
        {"label_mapping": {"256": "EDH"}},
        {"label_mapping": {"1": "SDH?"}},
        {"training": [{"id": "a b", "image": "x.nii"}]},
        {"training": [{"id": "../a", "image": "x.nii"}]},
        {"training": [{"image": "x.nii"}]},
        {"training": [{"id": "a", "image": "x.nii", "exam_labels": {"SDH": 2}}]},
        {"training": [{"id": "a", "image": "x.nii", "PatientName": "x"}]},
        {"training": [{"id": "a", "image": []}]},
    ],
)
def test_what_breaks_the_schema_is_refused(
    tmp_path: Path, record: dict[str, Any], change: dict[str, Any]
) -> None:
    path = write_json(tmp_path / "m.json", record | change)
    with pytest.raises(ManifestError, match="SCHEMA_VIOLATION"):
        read_manifest(path)
    assert set(codes(path)) == {"SCHEMA_VIOLATION"}


def test_a_violation_does_not_repeat_what_may_name_a_patient(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    record["training"][1] |= {"id": "DOE^JANE", "site": 19700131}
    (first, second) = check_manifest(write_json(tmp_path / "m.json", record))
    for fault in (first, second):
        assert (
            "training/1/" in fault.message
            and "DOE" not in fault.message
            and "1970" not in fault.message
        )


@pytest.mark.parametrize(
    ("text", "code"), [(None, "NO_MANIFEST"), ("{", "NOT_JSON"), ("[]", "NOT_JSON")]
)
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str | None, code: str) -> None:
    path = tmp_path / "m.json"
    if text is not None:
        path.write_text(text)
    assert main(["manifest", "check", str(path)]) == 3
    with pytest.raises(ManifestError, match=code):
        read_manifest(path)


def test_a_patient_in_two_splits_or_folds_makes_no_manifest() -> None:
    a, b = (
        Case("a", "training", (), patient="p", fold=0),
        Case("b", "training", (), patient="p", fold=1),
    )
    with pytest.raises(ManifestError, match="PATIENT_IN_TWO_SPLITS"):
        Manifest("x", (a, b))
    with pytest.raises(ManifestError, match="DUPLICATE_ID"):
        Manifest("x", (a, a))


def test_what_a_case_shows_comes_from_exam_then_slices_then_mask(written: Path) -> None:
    case = read_manifest(written).cases[0]
    mapping = read_manifest(written).label_mapping
    bare = {"id": "x", "split": "test", "image": case.image}
    assert strata_of(case, mapping) == {"SDH", "any"}, "slices"
    assert strata_of(Case(**bare, exam_labels={"EDH": 0, "any": 0}, label=case.label), mapping) == {
        "none"
    }
    iph = written.parent / "mask1.nii.gz"  # holds IPH and a value to ignore
    assert strata_of(Case(**bare, label=iph), mapping) == {"IPH", "any"}
    assert strata_of(Case(**bare, label=written.parent / "mask2.nii.gz"), mapping) == {"none"}
    assert strata_of(Case(**bare), mapping) == {"unknown"}


def _cohort() -> Manifest:
    rng = np.random.default_rng(1)
    cases = []
    for patient in range(60):
        exam = {
            name: int(rng.random() < p) for name, p in {"EDH": 0.17, "IPH": 0.6, "SDH": 0.4}.items()
        }
        for scan in range(1 + patient % 3):
            cases.append(
                Case(f"{patient}-{scan}", "training", (), patient=f"p{patient}", exam_labels=exam)
            )
    return Manifest("cohort", (*cases, Case("held", "test", ())))


def test_folds_hold_whole_patients_and_each_subtype_evenly() -> None:
    done = split_manifest(_cohort(), folds=5, seed=3, held_out=2)
    tried = [c for c in done.cases if c.split != "test"]
    assert {c.fold for c in tried} == set(range(5)) and len(tried) == 120
    assert all((c.split == "validation") == (c.fold == 2) for c in tried)
    patients = {c.patient: c for c in tried}
    for name in ("EDH", "IPH", "SDH"):
        per_fold = Counter(
            c.fold for c in patients.values() if c.exam_labels and c.exam_labels[name]
        )
        assert max(per_fold.values()) - min(per_fold[f] for f in range(5)) <= 1, name
    assert [c.split for c in done.cases if c.id == "held"] == ["test"]


def test_folds_depend_on_the_seed_and_on_nothing_else() -> None:
    cohort = _cohort()
    turned = Manifest("cohort", cohort.cases[::-1])
    folds = {c.id: c.fold for c in split_manifest(cohort, folds=5, seed=3).cases}
    assert {c.id: c.fold for c in split_manifest(turned, folds=5, seed=3).cases} == folds
    assert {c.id: c.fold for c in split_manifest(cohort, folds=5, seed=4).cases} != folds


def test_two_patients_of_the_rare_kind_part_into_two_folds() -> None:
    strata = {"a": ["EDH"], "b": ["IPH"], "c": ["EDH", "IPH"], "d": ["IPH"]}
    chosen = assign_folds(strata, dict.fromkeys(strata, 1), folds=2, seed=0)
    assert chosen["a"] != chosen["c"] and Counter(chosen.values()) == {0: 2, 1: 2}


def test_split_writes_a_manifest_to_train_from(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = written.parent / "fold.json"
    split = ["manifest", "split", str(written), "-o", str(out), "--folds", "2"]
    assert main([*split, "--seed", "5"]) == 0
    assert "3 scans of 2 patients" in capsys.readouterr().out
    assert {c.split for c in read_manifest(out).cases} == {"training", "validation"} and codes(
        out
    ) == []
    assert main(split) == 3, "an earlier file stays"
    assert main([*split, "--overwrite", "--folds", "3"]) == 3, "three folds need three patients"
    assert main([*split, "--held-out", "2"]) == 2


def test_training_reads_a_manifest_with_its_labels_mapped(written: Path) -> None:
    keys = {"image": "image", "label": "label", "cavity": "anatomy"}
    first, second = read_data_list(written.parent, "training", keys)
    values = [
        sorted(np.unique(np.asarray(nib.load(row["label"]).dataobj))) for row in (first, second)
    ]
    other = unlabeled([Subtype.EDH, Subtype.IVH, Subtype.SAH, EDEMA])
    assert values == [[5, other], [2, other]], (
        "7 is SDH, 2 is IPH, 9 is to be ignored; no mask holds the others"
    )
    assert np.allclose(nib.load(first["label"]).affine, AFFINE)
    empty = nib.load(first["cavity"])
    assert empty.shape == (6, 6, 4) and not np.asarray(empty.dataobj).any()
    assert read_data_list(written.parent, "training", keys) == [first, second], "made once"
    with pytest.raises(ManifestError, match="MISSING_FILE"):
        read_data_list(written.parent, "training", {"image": "image", "label": "anatomy"})


def test_training_does_not_learn_subtypes_from_masks_that_name_none(
    written: Path, record: dict[str, Any]
) -> None:
    write_json(written, record | {"label_mapping": {"7": "any", "2": "any", "9": "any"}})
    with pytest.raises(ManifestError, match="NO_SUBTYPE"):
        read_data_list(written.parent, "training", {"image": "image", "label": "label"})


def test_labels_with_our_numbers_are_trained_on_as_they_are(
    written: Path, record: dict[str, Any]
) -> None:
    ours = {str(int(s)): s.name for s in Subtype}
    write_json(written, record | {"label_mapping": ours | {"6": "EDEMA"}})
    (row, _) = read_data_list(written.parent, "training", {"image": "image", "label": "label"})
    assert (
        row["label"] == str(written.parent / "mask0.nii.gz")
        and row["case"] == record["training"][0]["id"]
    )
    for mapping in (ours, {}):  # no mapping: our numbers
        write_json(written, record | {"label_mapping": mapping})
        (row, _) = read_data_list(written.parent, "training", {"image": "image", "label": "label"})
        values = np.unique(np.asarray(nib.load(row["label"]).dataobj)).tolist()
        assert set(values) <= {unlabeled([EDEMA]), 2, 7} and 0 not in values, (
            "background may be edema"
        )


def test_edema_in_a_file_of_its_own_is_a_class_beside_blood(
    written: Path, record: dict[str, Any]
) -> None:
    voxels = np.zeros((6, 6, 4), np.uint8)
    voxels[:4] = 1
    nib.save(nib.Nifti1Image(voxels, AFFINE), written.parent / "edema.nii.gz")
    rows = [record["training"][0] | {"edema": "edema.nii.gz"}]
    write_json(
        written,
        record
        | {
            "label_mapping": {str(int(s)): s.name for s in Subtype} | {"7": "SDH"},
            "training": rows,
        },
    )
    assert (
        codes(written) == []
        and read_manifest(written).cases[0].edema == written.parent / "edema.nii.gz"
    )
    (row,) = read_data_list(written.parent, "training", {"image": "image", "label": "label"})
    mask = np.asarray(nib.load(written.parent / "mask0.nii.gz").dataobj)
    found = np.asarray(nib.load(row["label"]).dataobj)
    assert (found[mask == 7] == Subtype.SDH).all(), "blood stays blood"
    assert (found[:4][mask[:4] == 0] == EDEMA).all() and (found[4:][mask[4:] == 0] == 0).all()


@pytest.mark.slow
def test_synthetic_heads_come_with_a_sound_manifest(tmp_path: Path) -> None:
    cases = [design_case(seed, pixels=48, thickness_mm=8.0) for seed in (3, 4)]
    assert len(list(write_dataset(cases, tmp_path, workers=1))) == 2
    assert codes(tmp_path / "dataset.json") == []
    manifest = read_manifest(tmp_path / "dataset.json")
    assert [c.split for c in manifest.cases] == ["training", "validation"]
    truth = json.loads((tmp_path / "case_000003" / "truth.json").read_text())["truth"]
    (case, _) = manifest.cases
    assert case.exam_labels and case.midline_shift_mm == truth["midline_shift_mm"]
    assert {k for k, v in case.exam_labels.items() if v and k != "any"} == {
        k for k, v in truth["volume_ml"].items() if v
    }
    assert (
        len(
            read_data_list(
                tmp_path, "training", {"image": "image", "label": "label", "cavity": "anatomy"}
            )
        )
        == 1
    )


@pytest.mark.slow
def test_strip_finds_cavities_and_says_which_scans_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hu, _, anatomy, affine = tiny_head()
    nib.save(nib.Nifti1Image(hu, affine), tmp_path / "head.nii.gz")
    write_scan(tmp_path / "small.nii.gz", 1)
    rows = [{"id": "head", "image": "head.nii.gz"}, {"id": "small", "image": "small.nii.gz"}]
    listing = {
        "schema": "monai-ich/manifest/1",
        "name": "two",
        "label_mapping": {"1": "EDH"},
        "training": rows,
    }
    path, out = write_json(tmp_path / "all.json", listing), tmp_path / "out" / "cavities.json"
    assert main(["manifest", "strip", str(path), "-o", str(out), "--device", "cpu"]) == 3
    assert "NOT_HU: Case small: " in capsys.readouterr().out
    head, small = read_manifest(out).cases
    assert head.anatomy == out.parent / "anatomy" / "head.nii.gz" and small.anatomy is None
    found = np.asarray(nib.load(head.anatomy).dataobj) > 0
    assert (
        found.shape == hu.shape
        and 2 * (found & (anatomy > 0)).sum() / (found.sum() + (anatomy > 0).sum()) > 0.5
    )
    made = head.anatomy.stat().st_mtime_ns
    assert (
        main(["manifest", "strip", str(path), "-o", str(out), "--overwrite", "--device", "cpu"])
        == 3
    )
    assert head.anatomy.stat().st_mtime_ns == made, "it goes on where it was"
