"""The manifest of RSNA 2019: what its table tells, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from monai_ich.cli.app import main
from monai_ich.core.errors import ManifestError
from monai_ich.manifest.build import build_manifest
from monai_ich.manifest.manifest import Case, Manifest, read_manifest
from tests.rsna_files import COLUMNS, COUNT, image_name, write_rsna

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
NONE = dict.fromkeys(("EDH", "IPH", "IVH", "SAH", "SDH", "any"), 0)
BLEEDING, FREE = image_name(1, 6), image_name(1, 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_rsna(tmp_path / "rsna")


def _edit(root: Path, change: Callable[[list[str]], list[str]]) -> None:
    table = root / "stage_2_train.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *change(rows)]) + "\n")


def _build(root: Path) -> tuple[Manifest, Case]:
    """And its second study."""
    manifest = build_manifest("rsna2019", root, keep_ids=True)
    return manifest, manifest.cases[1]


def test_series_labels_and_patients(root: Path) -> None:
    manifest, case = _build(root)
    assert [c.id for c in manifest.cases] == ["ID_0a10f4c2_ID_bb0", "ID_0a10f4c2_ID_bb1"]
    heights = [float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in case.image]
    assert len(heights) == COUNT and heights == sorted(heights), "from the neck up"
    assert case.slice_labels == tuple(("SDH",) if height > 0 else () for height in heights)
    assert case.exam_labels == NONE | {"SDH": 1, "any": 1}
    assert manifest.cases[0].exam_labels == NONE
    assert case.patient == "ID_0a10f4c2", "as in BHSD, which took its scans from here"
    assert manifest.description == "", "rows that are there twice and agree are one"


def test_a_subtype_without_rows_is_not_known(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _edit(root, lambda rows: [row for row in rows if "_subdural" not in row])
    out = tmp_path / "m.json"
    assert main(["manifest", "build", "rsna2019", str(root), "-o", str(out), "--keep-ids"]) == 0
    assert "Of 16 images 16 lack rows in stage_2_train.csv and 0 have" in capsys.readouterr().out
    case = read_manifest(out).cases[1]
    known = {"EDH": 0, "IPH": 0, "IVH": 0, "SAH": 0, "any": 1}
    assert case.exam_labels == known, "whether there is an SDH is not said"
    assert case.slice_labels == ((),) * 4 + (("any",),) * 4, "any,0 says that there is none"


def test_an_image_of_which_one_subtype_is_told_is_not_known(root: Path) -> None:
    _edit(
        root,
        lambda rows: [row for row in rows if not row.startswith(FREE) or "_epidural" in row],
    )
    manifest, case = _build(root)
    assert case.slice_labels == ((), None, (), (), *[("SDH",)] * 4)
    assert case.exam_labels == {"EDH": 0, "SDH": 1, "any": 1}
    assert manifest.description.startswith("Of 16 images 1 lack rows")


def test_images_without_rows_are_not_known(root: Path) -> None:
    _edit(root, lambda rows: [row for row in rows if not row.startswith("ID_1")])
    manifest, case = _build(root)
    assert case.slice_labels is None and case.exam_labels is None
    assert manifest.cases[0].exam_labels == NONE
    assert manifest.description.startswith("Of 16 images 8 lack rows")


def test_without_a_row_of_any_the_subtypes_tell(root: Path) -> None:
    _edit(root, lambda rows: [row for row in rows if "_any" not in row])
    assert _build(root)[1].slice_labels == ((),) * 4 + (("SDH",),) * 4


@pytest.mark.parametrize("image", [FREE, BLEEDING])
def test_rows_that_contradict_each_other_are_not_known(
    root: Path, tmp_path: Path, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [f"{image}_{column},{label}" for column in COLUMNS for label in (0, 1)]
    _edit(root, lambda rows: rows + both)
    out = tmp_path / "m.json"
    assert main(["manifest", "build", "rsna2019", str(root), "-o", str(out), "--keep-ids"]) == 0
    assert "0 lack rows in stage_2_train.csv and 1 have rows that" in capsys.readouterr().out
    case = read_manifest(out).cases[1]
    at = 1 if image == FREE else 6
    assert case.slice_labels is not None and case.slice_labels[at] is None
    assert sum(names is None for names in case.slice_labels) == 1
    assert case.exam_labels == {"SDH": 1, "any": 1}, "as other images say; of others not known"


@pytest.mark.parametrize(
    ("image", "column", "exam"),
    [
        (FREE, "subdural", {"SDH": 1, "any": 1}),  # any,0 and subdural,1
        (BLEEDING, "any", {"SDH": 1, "any": 1}),  # any,0 and subdural,1
    ],
)
def test_any_and_subtypes_that_contradict_are_not_known(
    root: Path, image: str, column: str, exam: dict[str, int]
) -> None:
    old, new = ("0", "1") if column == "subdural" else ("1", "0")
    wrong = f"{image}_{column}"
    _edit(root, lambda rows: [row.replace(f"{wrong},{old}", f"{wrong},{new}") for row in rows])
    manifest, case = _build(root)
    assert case.slice_labels is not None
    assert case.slice_labels[1 if image == FREE else 6] is None
    assert case.exam_labels == {"EDH": 0, "IPH": 0, "IVH": 0, "SAH": 0} | exam
    assert "1 have rows that contradict" in manifest.description


def test_any_hemorrhage_of_no_subtype_contradicts(root: Path) -> None:
    wrong = f"{FREE}_any,"
    _edit(root, lambda rows: [row.replace(f"{wrong}0", f"{wrong}1") for row in rows])
    manifest, case = _build(root)
    assert case.slice_labels is not None and case.slice_labels[1] is None
    assert case.exam_labels == {"SDH": 1, "any": 1}
    assert "1 have rows that contradict" in manifest.description


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("ID_19f_any,yes", "BAD_ROW"),
        ("ID_19f_any,", "BAD_ROW"),
        ("ID_19f_any,nan", "BAD_ROW"),
        ("ID_19f_any,-3", "BAD_ROW"),
        ("ID_19f_any", "BAD_ROW"),
        ("ID_19f_epidurals,1", "BAD_ROW"),
        ("DOE_JANE_any,1", "BAD_ROW"),
        ("ID_\u00e9_any,1", "BAD_ROW"),
    ],
)
def test_a_row_that_tells_nothing_is_refused_by_its_number(
    root: Path, tmp_path: Path, row: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = root / "stage_2_train.csv"
    table.write_bytes(f"ID,Label\nID_19f_any,0\n\n{row}\nID_19f_any,0\n".encode("latin-1"))
    assert main(["manifest", "build", "rsna2019", str(root), "-o", str(tmp_path / "m.json")]) == 3
    said = capsys.readouterr().err
    assert code in said and "Row 4 of stage_2_train.csv" in said
    assert "DOE" not in said and said.count("\n") == 1


@pytest.mark.parametrize("header", ["id,label", "ID;Label", "\nID,Label", "", "ID,Any"])
def test_another_header_is_refused_as_the_table_s(root: Path, header: str) -> None:
    (root / "stage_2_train.csv").write_text(f"{header}\nID_19f_any,0\n")
    with pytest.raises(ManifestError, match=r"MISSING_COLUMN: .*stage_2_train\.csv"):
        build_manifest("rsna2019", root)


def test_a_file_that_is_no_dicom_is_named_if_its_name_is_a_pseudonym(root: Path) -> None:
    broken = root / "stage_2_train" / f"{FREE}.dcm"
    broken.write_bytes(b"garbage")
    with pytest.raises(ManifestError, match=f"UNREADABLE_FILE: .*{FREE}"):
        build_manifest("rsna2019", root)
    broken.rename(broken.with_name("DOE_JANE.dcm"))
    with pytest.raises(ManifestError, match=r"UNREADABLE_FILE: .*file 1 ") as refused:
        build_manifest("rsna2019", root)
    assert "DOE" not in str(refused.value)


def test_capitals_in_the_end_of_a_name_are_taken(root: Path) -> None:
    path = root / "stage_2_train" / f"{FREE}.dcm"
    path.rename(path.with_suffix(".DCM"))
    case = _build(root)[1]
    assert len(case.image) == COUNT and case.exam_labels == NONE | {"SDH": 1, "any": 1}
