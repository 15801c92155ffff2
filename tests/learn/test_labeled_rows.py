"""Rows of a manifest as classifiers see them."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from monai_ich.core.labels import Subtype
from monai_ich.learn.rows import FindingTargetsd, RandPartOfHeadd, rows_without_hemorrhage

SIZE = 6


def _scan(**labels: object) -> dict[str, object]:
    """Slice k of six holds the number k + 1."""
    voxels = torch.arange(1.0, SIZE + 1).expand(1, 2, 2, SIZE).clone()
    return {"image": voxels, "label": voxels.clone(), "kind": "mask", **labels}


def _numbers(scan: dict[str, object]) -> list[list[int]]:
    """Of image and label, after a check that they agree in every column."""
    found = []
    for key in ("image", "label"):
        voxels = scan[key]
        assert isinstance(voxels, torch.Tensor)
        assert voxels.shape == (1, 2, 2, SIZE)
        assert bool((voxels == voxels[:, :1, :1]).all())
        found.append([int(v) for v in voxels[0, 0, 0]])
    return found


@pytest.mark.parametrize("repeat_prob", [0.0, 1.0])
def test_few_slices_lie_on_top_with_air_below_and_labels_follow(repeat_prob: float) -> None:
    cut = RandPartOfHeadd(["image", "label"], prob=1.0, repeat_prob=repeat_prob)
    cut.set_random_state(seed=0)
    counts = set()
    for _ in range(60):
        image, label = _numbers(cut(_scan()))  # type: ignore[arg-type]
        kept = [number for number in image if number]
        assert image == label == [0] * (SIZE - len(kept)) + kept
        steps = {b - a for a, b in pairwise(kept)}
        assert steps <= ({0} if repeat_prob else {1})
        counts.add(len(kept))
    assert counts == set(range(1, SIZE + 1))


def test_what_a_report_says_of_a_head_is_not_said_of_a_part() -> None:
    cut = RandPartOfHeadd(["image", "label"], prob=1.0)
    bleeding, free = {"SDH": 1, "any": 1}, {"any": 0}
    assert "exam_labels" not in cut(_scan(exam_labels=bleeding))  # type: ignore[arg-type]
    assert cut(_scan(exam_labels=free))["exam_labels"] == free  # type: ignore[arg-type]
    assert "image" in cut(_scan(exam_labels=None))  # type: ignore[arg-type]
    whole = _scan(exam_labels=bleeding) | {"kind": "exam"}
    assert cut(whole)["exam_labels"] == bleeding  # type: ignore[arg-type]
    assert _numbers(cut(whole)) == [[1, 2, 3, 4, 5, 6]] * 2  # type: ignore[arg-type]


def test_cells_are_known_where_a_mask_is() -> None:
    mask = torch.zeros(1, 4, 4, 2)
    mask[0, 2:, :2, 1] = Subtype.SDH
    told = FindingTargetsd("label", voxel_ml=0.1, cell=2)
    cells = told({"label": mask, "kind": "mask"})["cells"]
    assert cells.shape == (6, 2, 2, 2)
    assert cells[Subtype.SDH, ..., 1].tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert float(cells[Subtype.SDH, ..., 0].sum()) == 0.0
    assert cells[0, ..., 1].tolist() == [[1.0, 1.0], [0.0, 1.0]], "none is the opposite"
    codes = torch.full((1, 4, 4, 2), 16.0)
    unknown = told({"label": codes, "kind": "slices"})["cells"]
    assert unknown.shape == (6, 2, 2, 2) and bool(unknown.isnan().all())


@pytest.mark.parametrize(
    ("labels", "is_free"),
    [
        ({"exam_labels": {"any": 0}}, True),
        ({"exam_labels": {s.name: 0 for s in Subtype}}, True),
        ({"exam_labels": {"any": 0}, "slice_labels": [None, []]}, True),
        ({"slice_labels": [[], []]}, True),
        ({"exam_labels": {"EDH": 0, "SDH": 0}}, False),
        ({"exam_labels": {"any": 1}}, False),
        ({"slice_labels": [[], None]}, False),
        ({"slice_labels": [[], ["any"]]}, False),
        ({"exam_labels": {"any": 0}, "slice_labels": [[], ["SAH"]]}, False),
        ({"exam_labels": None, "slice_labels": None}, False),
        ({}, False),
    ],
)
def test_a_mask_is_known_to_be_empty_where_all_hemorrhage_is_denied(
    labels: dict[str, object], is_free: bool
) -> None:
    row = {"case": "a", "image": "a.nii.gz", "cavity": "b.nii.gz"}
    assert rows_without_hemorrhage([row | labels]) == [row] * is_free
