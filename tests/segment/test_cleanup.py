import numpy as np

from monai_ich.segment.cleanup import drop_small


def test_pieces_below_the_minimum_vanish_and_larger_ones_stay_whole() -> None:
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[1:3, 1:3, 1:3] = 5
    labels[3, 3, 3] = 2  # touches the cube at a corner: one piece of 9 voxels
    labels[8, 8, 8] = 4
    kept = drop_small(labels, voxel_ml=0.1, minimum_ml=0.5)
    assert kept[8, 8, 8] == 0 and (kept > 0).sum() == 9
    assert labels[8, 8, 8] == 4  # the input is left alone
