"""What a mask means is told by its file, or asked; a mask that lies elsewhere is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest

from monai_ich.cli.app import main
from monai_ich.core.errors import InputError, LabelError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import AnyLabel, Subtype
from monai_ich.core.relabel import place_labels
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_labels
from monai_ich.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from tests.conftest import ROOT
from tests.phantom import grid, phantom

CASES = ROOT.parent / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases here")


def _labels(*subtypes: Subtype) -> LabelMap:
    voxels = np.zeros(grid().shape, np.uint8)
    for n, subtype in enumerate(subtypes):
        voxels[10 + 10 * n : 18 + 10 * n, 20:30, 10:15] = subtype
    return LabelMap(voxels, grid(), Subtype)


def _edited(path: Path, change: dict[str, str | None], data: Any = None) -> Path:
    voxels, header = nrrd.read(str(path))
    for key, value in change.items():
        if value is None:
            header.pop(key)
        else:
            header[key] = value
    nrrd.write(str(path), voxels if data is None else data, header)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "Subdural_Haemorrhage",
        "SUBDURAL HAEMATOMA",
        "sub-dural",
        "Hemorragie subdurale (SDH)",
        "Acute SDH left",
    ],
)
def test_a_segment_is_known_by_its_name_however_it_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.seg.nrrd"
    write_seg_nrrd(path, _labels(Subtype.SDH))
    _edited(path, {"Segment4_ID": "Segment_5", "Segment4_Name": name})
    assert np.array_equal(read_seg_nrrd(path, Subtype).voxels, _labels(Subtype.SDH).voxels)


@pytest.mark.parametrize("name", ["Epidural hematoma", "IPH", "contusion"])
def test_a_renamed_segment_that_kept_its_id_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.seg.nrrd"
    write_seg_nrrd(path, _labels(Subtype.SDH))
    with pytest.raises(LabelError, match=r"CONTRADICTORY_LABEL.*SDH"):
        read_seg_nrrd(_edited(path, {"Segment4_Name": name}), Subtype)


def test_a_file_of_old_slicer_without_values_is_its_one_segment(tmp_path: Path) -> None:
    path = tmp_path / "a.seg.nrrd"
    write_seg_nrrd(path, _labels(Subtype.EDH))
    gone = {f"Segment{n}_{key}": None for n in range(5) for key in ("LabelValue", "Layer")}
    gone |= {f"Segment{n}_{key}": None for n in range(1, 5) for key in ("ID", "Name")}
    _edited(path, gone | {"Segment0_ID": "Segment_1", "Segment0_Name": "Subdural hematoma"})
    assert set(np.unique(read_seg_nrrd(path, Subtype).voxels)) == {0, Subtype.SDH}


def _layers(path: Path, *masks: np.ndarray) -> Path:
    header = {
        "space": "left-posterior-superior",
        "space directions": np.vstack([[np.nan] * 3, grid().affine_lps[:3, :3].T]),
        "space origin": grid().affine_lps[:3, 3],
        "kinds": ["list", "domain", "domain", "domain"],
    }
    for n, subtype in enumerate((Subtype.SDH, Subtype.IPH)[: len(masks)]):
        header |= {
            f"Segment{n}_ID": subtype.name,
            f"Segment{n}_LabelValue": "1",
            f"Segment{n}_Layer": str(n),
        }
    nrrd.write(str(path), np.stack(masks).astype(np.uint8), header, index_order="F")
    return path


def test_layers_are_read_where_nothing_overlaps(tmp_path: Path) -> None:
    labels = _labels(Subtype.SDH, Subtype.IPH)
    masks = [labels.voxels == s for s in (Subtype.SDH, Subtype.IPH)]
    both = read_seg_nrrd(_layers(tmp_path / "two.seg.nrrd", *masks), Subtype)
    assert np.array_equal(both.voxels, labels.voxels) and both.geometry.same_grid(grid())
    one = read_seg_nrrd(_layers(tmp_path / "one.seg.nrrd", masks[0]), Subtype)
    assert set(np.unique(one.voxels)) == {0, Subtype.SDH}
    with pytest.raises(InputError, match="overlap"):
        read_seg_nrrd(_layers(tmp_path / "over.seg.nrrd", masks[0], masks[0] | masks[1]), Subtype)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_a_crop_or_another_order_of_axes_goes_onto_the_grid_voxel_by_voxel(
    tmp_path: Path, axes: tuple[int, int, int]
) -> None:
    labels = _labels(Subtype.SDH)
    box = (slice(5, 40), slice(12, 50), slice(8, 20))
    turn = np.zeros((4, 4))
    turn[axes, (0, 1, 2)] = turn[3, 3] = 1
    affine = grid().crop(box).affine @ turn
    crop = np.ascontiguousarray(labels.voxels[box].transpose(axes))
    write_nifti(tmp_path / "crop.nii.gz", LabelMap(crop, Geometry(crop.shape, affine), Subtype))
    placed = read_labels(tmp_path / "crop.nii.gz", Subtype, grid=grid())
    assert placed.geometry.same_grid(grid()) and np.array_equal(placed.voxels, labels.voxels)


def test_what_would_be_left_out_or_lies_between_voxels_is_not_placed() -> None:
    labels = _labels(Subtype.SDH)
    assert place_labels(labels, grid().crop((slice(30, 60), slice(0, 64), slice(0, 32)))) is None
    between = grid().affine.copy()
    between[0, 3] += 1.0  # a third of a voxel
    assert (
        place_labels(LabelMap(labels.voxels, Geometry(grid().shape, between), Subtype), grid())
        is None
    )


@pytest.mark.parametrize("off_mm", [4000.0, 100.0])
def test_a_mask_that_lies_elsewhere_is_not_resampled_to_nothing(
    tmp_path: Path, off_mm: float, capsys: pytest.CaptureFixture[str]
) -> None:
    affine = grid().affine.copy()
    affine[2, 3] += off_mm
    write_nifti(tmp_path / "ct.nii.gz", phantom(grid()))
    mask = LabelMap(_labels(Subtype.SDH).voxels, Geometry(grid().shape, affine), AnyLabel)
    write_nifti(tmp_path / "mask.nii.gz", mask)
    words = ["resample", str(tmp_path / "mask.nii.gz"), "--like", str(tmp_path / "ct.nii.gz")]
    assert main([*words, "-o", str(tmp_path / "out.nii.gz")]) == 3
    assert "LABELS_LOST" in capsys.readouterr().err and not (tmp_path / "out.nii.gz").exists()


@needs_cases
@pytest.mark.parametrize(
    "name", ["slicer410_own_no_labelvalue", "slicer410_single_no_labelvalue", "slicer_4d_one_layer"]
)
def test_files_of_slicer_that_went_wrong_are_their_named_segment(name: str) -> None:
    labels = read_labels(CASES / f"{name}.seg.nrrd", Subtype)
    assert set(np.unique(labels.voxels)) == {0, Subtype.SDH}
    assert labels.volume_ml(Subtype.SDH) == pytest.approx(32.03, abs=0.01)
