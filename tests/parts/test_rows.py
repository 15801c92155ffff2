"""What training asks of a row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_ich.core.errors import GeometryError
from monai_ich.parts.rows import EmptyMaskd, SameGridd


def test_a_mask_that_is_missing_is_empty_and_one_that_is_there_stays() -> None:
    label, cavity = torch.ones(1, 2, 3, 4), torch.full((1, 2, 3, 4), 5.0)
    fill = EmptyMaskd("cavity", like="label")
    empty = fill({"label": label})["cavity"]
    assert empty.shape == label.shape and not empty.any()
    assert fill({"label": label, "cavity": cavity})["cavity"] is cavity


TILTED = np.array([[0.5, 0, 0, -90], [0, 0.5, 0.8, 20], [0, 0, 5, -40], [0, 0, 0, 1.0]])


def image(affine: np.ndarray, shape: tuple[int, int, int] = (20, 30, 10)) -> MetaTensor:
    return MetaTensor(torch.zeros(1, *shape), affine=torch.tensor(affine))


def test_a_mask_on_the_grid_passes_whichever_way_its_axes_run() -> None:
    turned = TILTED.copy()
    turned[:, 3] += 19 * turned[:, 0]
    turned[:, 0] *= -1
    row = {"image": image(TILTED), "label": image(turned), "cavity": image(TILTED)}
    assert SameGridd(["label", "cavity"], "image")(row) == row
    assert SameGridd(["label", "cavity"], "image")({"image": row["image"]}) == {
        "image": row["image"]
    }


@pytest.mark.parametrize(
    ("there", "shape", "mm"),
    [
        (TILTED + np.outer(np.eye(4)[2], np.eye(4)[3]) * 5, (20, 30, 10), "5.0"),  # one slice off
        (np.where(TILTED == 0.8, 0.0, TILTED), (20, 30, 10), "7.2"),  # straightened: 9 x 0.8 mm
        (TILTED, (20, 30, 9), "5.0"),
        (TILTED, (20, 30, 1), "45.5"),  # each of its corners is one of the image's: 9 x 5.06 mm
        (TILTED @ np.diag([1.0, 1.0, 9.0, 1.0]), (20, 30, 2), "other voxels"),
    ],
)
def test_a_mask_of_another_grid_is_refused(
    there: np.ndarray, shape: tuple[int, int, int], mm: str
) -> None:
    row = {"image": image(TILTED), "label": image(there, shape)}
    with pytest.raises(GeometryError, match=rf"The label of a row .*\({mm}") as refused:
        SameGridd("label", "image")(row)
    assert refused.value.code == "GRID_MISMATCH"
