import numpy as np

from monai_ich.segment.cleanup import drop_pieces, settle_extra_axial


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
