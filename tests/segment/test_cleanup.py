import numpy as np
import pytest

from monai_ich.core.labels import Subtype
from monai_ich.segment.cleanup import (
    drop_doubtful,
    drop_pieces,
    settle_doubtful,
    settle_extra_axial,
)


def test_pieces_below_the_minimum_vanish_and_larger_ones_stay_whole() -> None:
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[1:3, 1:3, 1:3] = 5
    labels[3, 3, 3] = 2  # touches the cube at a corner: one piece of 9 voxels
    labels[8, 8, 8] = 4
    hu = np.full(labels.shape, 60.0, np.float32)
    kept = drop_pieces(labels, hu, voxel_ml=0.1, minimum_ml=0.5, max_hu=110.0)
    assert kept[8, 8, 8] == 0 and (kept > 0).sum() == 9
    assert labels[8, 8, 8] == 4  # the input is left alone


def test_a_clot_on_the_skull_is_edh_or_sdh_by_its_votes() -> None:
    labels = np.zeros((12, 4, 4), np.uint8)
    labels[0:4, 0, 0] = 1
    labels[4, 1, 1] = 5  # touches at a corner
    labels[6:11, 0, 0] = 1  # another clot
    labels[5, 0, 0] = 2  # blood of the brain between the two does not join them
    labels[11, 3, 3] = 5
    even, common = settle_extra_axial(labels, 1.0), settle_extra_axial(labels, 5.0)
    assert even[:6].max(axis=(1, 2)).tolist() == [1, 1, 1, 1, 1, 2] and common[
        :6, 0, 0
    ].tolist() == [5, 5, 5, 5, 0, 2]
    for settled in (even, common):
        assert (settled[6:11, 0, 0] == 1).all() and settled[11, 3, 3] == 5
        assert np.array_equal(settled > 0, labels > 0)


def test_a_piece_is_as_sure_as_its_surest_part_wherever_it_lies_in_the_scan() -> None:
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[3:6, 3:6, 3] = 2
    labels[6, 6, 4] = 4  # touches at a corner: one piece
    labels[9:11, 9, 9] = 5
    sure = np.array([[3, 3, 3], [6, 6, 4], [9, 9, 9], [0, 0, 0], [11, 11, 11]])
    kept = drop_doubtful(labels, sure, sure_ml=0.05, least_ml=0.1)
    assert np.array_equal(kept, np.where(labels == 5, 0, labels))
    assert not drop_doubtful(labels, sure[:0], sure_ml=0.05, least_ml=0.1).any()
    assert labels[9, 9, 9] == 5, "the input is left alone"


@pytest.mark.parametrize("sure", [0, 1, 2])
def test_a_part_keeps_its_subtype_where_enough_of_it_is_sure(sure: int) -> None:
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[4:8, 4:8, 4:8] = Subtype.IPH
    labels[7:9, 4:6, 4] = Subtype.IVH  # in the IPH and beside it
    labels[8, 6, 4] = Subtype.SAH  # touches both, IPH more
    labels[2, 2, 2] = Subtype.SDH  # touches none
    voxels = {s: np.argwhere(labels == s)[: sure if s == Subtype.IVH else 0] for s in Subtype}
    voxels[Subtype.IPH] = np.argwhere(labels == Subtype.IPH)
    settled = settle_doubtful(labels, voxels, sure_ml=0.05, least_ml=0.1)
    assert np.array_equal(settled > 0, labels > 0)
    assert (settled[7:9, 4:6, 4] == (Subtype.IVH if sure == 2 else Subtype.IPH)).all()
    assert settled[8, 6, 4] == Subtype.IPH and settled[2, 2, 2] == Subtype.SDH
