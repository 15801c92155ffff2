"""What the numbers of a mask mean is said by the file, by a record beside it, or by the user: never
guessed.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.label_meaning import NOT_BLOOD, OUR_NUMBERS, LabelMeaning
from monai_ich.core.labels import Anatomy, AnyLabel, Cavity, LabelSet, Subtype
from monai_ich.core.provenance import Provenance
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct, read_labels
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.measure.summary import measure_exam
from monai_ich.results.files import write_tables
from tests.conftest import ROOT
from tests.heads import anatomy
from tests.phantom import grid, series
from tests.seg_contract import true_labels, write_seg

CASES = ROOT.parent / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases here")


def _labels(*values: int, labels: LabelSet = Subtype) -> LabelMap:
    voxels = np.zeros(grid().shape, np.uint8)
    for n, value in enumerate(values):
        voxels[10 + 10 * n : 18 + 10 * n, 20:30, 10:15] = value
    return LabelMap(voxels, grid(), labels)


def _foreign(path: Path, *values: int) -> Path:
    """As another program writes it."""
    nib.save(nib.Nifti1Image(_labels(*values, labels=AnyLabel).voxels, grid().affine), path)
    return path


def _refused(path: Path, labels: LabelSet = Subtype, meaning: LabelMeaning | None = None) -> str:
    with pytest.raises(IchError) as error:
        read_labels(path, labels, meaning=meaning)
    return str(error.value)


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ((1,), "UNKNOWN_MEANING", "value 1 of this mask means"),
        ((5,), "UNKNOWN_MEANING", "--labels-are SDH"),
        ((1, 2), "UNKNOWN_MEANING", "--labels-are 1=SDH,2=IPH"),
        ((255,), "UNKNOWN_LABEL", "--labels-are 255=SDH"),
    ],
)
def test_a_mask_of_another_program_is_asked_about(
    tmp_path: Path, values: tuple[int, ...], code: str, words: str
) -> None:
    said = _refused(_foreign(tmp_path / "mask.nii.gz", *values))
    assert said.startswith(code) and words in said


@pytest.mark.parametrize(
    ("values", "meaning", "there"),
    [
        ((1,), LabelMeaning(only=Subtype.SDH), {5: 1}),
        ((255,), LabelMeaning(only=Subtype.SDH), {5: 1}),
        ((1, 2, 3), LabelMeaning({1: 5, 2: 2, 3: NOT_BLOOD}), {5: 1, 2: 2}),
        ((1, 2), LabelMeaning({1: 5, 2: 5}), {5: 2}),
        ((3, 4), OUR_NUMBERS, {3: 1, 4: 1}),
    ],
)
def test_what_the_user_says_is_taken(
    tmp_path: Path, values: tuple[int, ...], meaning: LabelMeaning, there: dict[int, int]
) -> None:
    found = read_labels(_foreign(tmp_path / "mask.nii.gz", *values), Subtype, meaning=meaning)
    assert set(np.unique(found.voxels).tolist()) == {0, *there} and found.labels is Subtype


def test_one_meaning_for_two_values_and_a_value_without_one_are_refused(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "mask.nii.gz", 1, 2)
    assert "UNKNOWN_LABEL" in _refused(path, meaning=LabelMeaning(only=Subtype.SDH))
    assert "2=ignore" in _refused(path, meaning=LabelMeaning({1: 5}))


def test_a_mask_without_any_label_means_nothing_and_asks_nothing(tmp_path: Path) -> None:
    assert not read_labels(_foreign(tmp_path / "none.nii.gz"), Subtype).voxels.any()


@pytest.mark.parametrize("values", [(1,), (5,), (1, 2, 3)])
def test_files_of_ours_are_read_without_a_question(tmp_path: Path, values: tuple[int, ...]) -> None:
    write_nifti(tmp_path / "any_name.nii.gz", _labels(*values))
    assert np.array_equal(
        read_labels(tmp_path / "any_name.nii.gz", Subtype).voxels, _labels(*values).voxels
    )
    write_nifti(tmp_path / "parts.nii.gz", anatomy(grid(), shift_mm=3))
    assert read_labels(tmp_path / "parts.nii.gz", Anatomy).labels is Anatomy


@pytest.mark.parametrize("change", ["made binary", "one voxel more", "moved"])
def test_the_mark_holds_for_no_other_mask_though_programs_copy_the_header(
    tmp_path: Path, change: str
) -> None:
    write_nifti(tmp_path / "ours.nii.gz", _labels(2, 5))
    image = nib.load(tmp_path / "ours.nii.gz")
    voxels, affine = np.array(image.dataobj), image.affine.copy()
    if change == "made binary":
        voxels = (voxels > 0).astype(np.uint8)
    elif change == "one voxel more":
        voxels[0, 0, 0] = 2
    else:
        affine[2, 3] += 3.0
    nib.save(nib.Nifti1Image(voxels, affine, image.header), tmp_path / "edited.nii.gz")
    assert nib.load(tmp_path / "edited.nii.gz").header["descrip"] == image.header["descrip"], (
        "the note is still there"
    )
    assert "UNKNOWN_MEANING" in _refused(tmp_path / "edited.nii.gz")


def test_a_mask_that_says_it_is_something_else_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "anatomy.nii.gz", anatomy(grid(), shift_mm=0))
    write_nifti(tmp_path / "ich.nii.gz", _labels(5))
    write_nifti(tmp_path / "cavity.nii.gz", _labels(1, labels=Cavity))
    for name, labels in (("anatomy", Subtype), ("cavity", Subtype), ("ich", Anatomy)):
        assert "CONTRADICTORY_LABEL" in _refused(tmp_path / f"{name}.nii.gz", labels)
    for meaning in (LabelMeaning(only=Subtype.EDH), LabelMeaning({5: 2})):
        assert "CONTRADICTORY_LABEL" in _refused(tmp_path / "ich.nii.gz", meaning=meaning)
    assert (
        read_labels(
            tmp_path / "ich.nii.gz", Subtype, meaning=LabelMeaning(only=Subtype.SDH)
        ).volume_ml(5)
        > 0
    )


def _analyzed(folder: Path, weights: dict[str, str], *values: int) -> Path:
    """What an analysis left before there were marks."""
    folder.mkdir()
    tables = Provenance({}, weights=weights)
    write_tables(
        measure_exam(_labels(*values)), folder, case_id="x", warnings=(), provenance=tables
    )
    return _foreign(folder / "ich.nii.gz", *values)


def test_a_mask_from_before_there_were_marks_is_known_by_the_record_of_its_volumes(
    tmp_path: Path,
) -> None:
    ours = _analyzed(tmp_path / "a", {"ich_segmentation": "ab"}, 1, 5)
    assert set(np.unique(read_labels(ours, Subtype).voxels)) == {0, 1, 5}
    assert "UNKNOWN_MEANING" in _refused(_analyzed(tmp_path / "b", {}, 1)), (
        "measured, not segmented: it proves nothing"
    )
    edited = _foreign(_analyzed(tmp_path / "c", {"ich_segmentation": "ab"}, 5), 2)
    assert "UNKNOWN_MEANING" in _refused(edited), "another mask lies there now"
    (tmp_path / "a" / "measurements.json").write_text(json.dumps({"schema": 1}))
    assert "UNKNOWN_MEANING" in _refused(ours)


def test_anatomy_of_another_program_needs_both_sides_in_their_place(tmp_path: Path) -> None:
    parts = anatomy(grid(), shift_mm=0)
    nib.save(nib.Nifti1Image(parts.voxels, grid().affine), tmp_path / "parts.nii.gz")
    assert read_labels(tmp_path / "parts.nii.gz", Anatomy).labels is Anatomy
    nib.save(
        nib.Nifti1Image((parts.voxels > 0).astype(np.uint8), grid().affine),
        tmp_path / "brain.nii.gz",
    )
    assert "UNKNOWN_MEANING" in _refused(tmp_path / "brain.nii.gz", Anatomy)
    other = np.array([0, 2, 1, 4, 3, 5], np.uint8)[parts.voxels]
    nib.save(nib.Nifti1Image(other, grid().affine), tmp_path / "sides.nii.gz")
    assert "CONTRADICTORY_LABEL" in _refused(tmp_path / "sides.nii.gz", Anatomy)


@pytest.mark.parametrize("name", ["mask.nrrd", "mask.seg.nrrd"])
def test_a_plain_label_map_in_nrrd_is_asked_about(tmp_path: Path, name: str) -> None:
    affine = grid().affine_lps
    header = {
        "space": "left-posterior-superior",
        "space directions": affine[:3, :3].T,
        "space origin": affine[:3, 3],
        "kinds": ["domain"] * 3,
    }
    nrrd.write(str(tmp_path / name), _labels(1).voxels, header, index_order="F")
    assert "UNKNOWN_MEANING" in _refused(tmp_path / name)
    found = read_labels(tmp_path / name, Subtype, meaning=LabelMeaning(only=Subtype.SDH))
    assert set(np.unique(found.voxels)) == {0, 5}


def test_a_label_map_in_nrrd_whose_grid_is_lost_is_refused(tmp_path: Path) -> None:
    header = {
        "space": "left-posterior-superior",
        "space directions": np.eye(3),
        "space origin": np.zeros(3),
    }
    nrrd.write(str(tmp_path / "mask.nrrd"), _labels(1).voxels, header, index_order="F")
    assert "LOST_GRID" in _refused(tmp_path / "mask.nrrd", meaning=LabelMeaning(only=Subtype.SDH))


def _segments(path: Path, value: int, identity: str, name: str) -> Path:
    """Our file with one segment renamed, as 3D Slicer writes it: UTF-8."""
    write_seg_nrrd(path, _labels(value))
    number, label = value - 1, Subtype(value)
    raw = path.read_bytes()
    head, _, body = raw.partition(b"\n\n")
    lines = []
    for line in head.split(b"\n"):
        if line.startswith(f"Segment{number}_ID:=".encode()):
            line = f"Segment{number}_ID:={identity}".encode()
        if line.startswith(f"Segment{number}_Name:=".encode()):
            line = f"Segment{number}_Name:={name}".encode()
        lines.append(line)
    assert label.name.encode() in head
    path.write_bytes(b"\n".join(lines) + b"\n\n" + body)
    return path


@pytest.mark.parametrize("name", ["Ödem links", "œdème", "Отёк", "Ödem Doe"])
def test_a_segment_that_is_not_known_is_named_as_it_was_written_or_by_its_number(
    tmp_path: Path, name: str
) -> None:
    said = _refused(_segments(tmp_path / "a.seg.nrrd", 5, "Segment_7", name))
    assert said.startswith("UNKNOWN_LABEL") and "segment 5" in said and "--labels-are 5=SDH" in said
    assert (f'"{name}"' in said) == ("Doe" not in name), "it may name a patient"


@pytest.mark.parametrize("name", ["Müller links", "Doe^Jane", "José 19470801"])
def test_a_name_that_may_be_a_patients_is_not_shown(tmp_path: Path, name: str) -> None:
    said = _refused(_segments(tmp_path / "a.seg.nrrd", 5, "Segment_7", name))
    assert said.isascii() and not any(word in said for word in ("Doe", "Jos", "1947", "ller"))


@pytest.mark.parametrize(
    "name",
    ["Subdurales Hämatom", "Hématome sous-dural", "Ematoma sottodurale", "Hematoma subdural agudo"],
)
def test_a_segment_is_known_in_other_languages(tmp_path: Path, name: str) -> None:
    found = read_labels(_segments(tmp_path / "a.seg.nrrd", 5, "Segment_7", name), Subtype)
    assert set(np.unique(found.voxels)) == {0, 5}


@pytest.mark.parametrize("name", ["Infarkt", "calcification", "Tumor"])
def test_a_segment_renamed_to_what_is_no_blood_is_not_measured_by_its_old_id(
    tmp_path: Path, name: str
) -> None:
    path = _segments(tmp_path / "a.seg.nrrd", 5, "SDH", name)
    assert "UNKNOWN_LABEL" in _refused(path)
    assert not read_labels(path, Subtype, meaning=LabelMeaning({5: NOT_BLOOD})).voxels.any()


@pytest.mark.parametrize("name", ["Hämatom links", "Segment_1", ""])
def test_a_name_that_says_nothing_leaves_the_id(tmp_path: Path, name: str) -> None:
    found = read_labels(_segments(tmp_path / "a.seg.nrrd", 5, "SDH", name), Subtype)
    assert set(np.unique(found.voxels)) == {0, 5}


def test_what_the_user_says_of_segments_must_not_contradict_them(tmp_path: Path) -> None:
    path = _segments(tmp_path / "a.seg.nrrd", 5, "Segment_7", "Blutung")
    assert set(np.unique(read_labels(path, Subtype, meaning=LabelMeaning(only=2)).voxels)) == {0, 2}
    known = _segments(tmp_path / "b.seg.nrrd", 5, "SDH", "Subdural hematoma")
    assert "CONTRADICTORY_LABEL" in _refused(known, meaning=LabelMeaning(only=2))


@pytest.mark.slow
def test_segments_of_dicom_are_said_by_number(tmp_path: Path) -> None:
    scan = read_ct(series(tmp_path / "ct"))
    seg = write_seg(tmp_path / "seg.dcm", scan, true_labels(scan.volume.geometry))
    numbers = {int(s.SegmentNumber): s for s in seg.SegmentSequence}
    last = max(numbers)
    for name in ("SegmentLabel", "SegmentDescription", "TrackingID"):
        if name in numbers[last]:
            setattr(numbers[last], name, "Blutung")
    numbers[last].SegmentedPropertyTypeCodeSequence[0].CodeValue = "404684003"
    seg.save_as(tmp_path / "seg.dcm")
    on = {"grid": scan.volume.geometry, "source": scan.source}
    assert f"--labels-are {last}=SDH" in _refused(tmp_path / "seg.dcm")
    told = read_labels(tmp_path / "seg.dcm", Subtype, meaning=LabelMeaning({last: last}), **on)
    assert np.array_equal(told.voxels, true_labels(scan.volume.geometry).voxels)
    rest = read_labels(tmp_path / "seg.dcm", Subtype, meaning=LabelMeaning({last: NOT_BLOOD}), **on)
    assert np.array_equal(rest.voxels > 0, (told.voxels > 0) & (told.voxels != last))
    assert "CONTRADICTORY_LABEL" in _refused(
        tmp_path / "seg.dcm", meaning=LabelMeaning({1: 2, last: last})
    )


def test_numbers_that_are_passed_through_keep_what_the_file_says(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ours.nii.gz", _labels(5))
    assert read_labels(tmp_path / "ours.nii.gz", AnyLabel).labels is Subtype
    assert read_labels(_foreign(tmp_path / "other.nii.gz", 7), AnyLabel).labels is AnyLabel


def test_the_mark_does_not_depend_on_how_voxels_lie_in_memory(tmp_path: Path) -> None:
    geometry = Geometry((7, 6, 5), np.diag([1.0, 2.0, 3.0, 1.0]))
    voxels = np.random.default_rng(0).integers(0, 6, geometry.shape).astype(np.uint8)
    for n, order in enumerate((voxels, np.asfortranarray(voxels), voxels.astype(np.int64))):
        write_nifti(tmp_path / f"{n}.nii", LabelMap(order, geometry, Subtype))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@needs_cases
def test_the_binary_mask_that_went_wrong_is_asked_about() -> None:
    assert "UNKNOWN_MEANING" in _refused(CASES / "binary_mask_1.nii.gz")
    labels = read_labels(
        CASES / "binary_mask_1.nii.gz", Subtype, meaning=LabelMeaning(only=Subtype.SDH)
    )
    assert labels.volume_ml(Subtype.SDH) == pytest.approx(32.03, abs=0.01)
