import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap, Mask
from monai_ich.measure.edema import measure_edema

GRID = Geometry((20, 20, 10), np.diag([1.0, 1.0, 5.0, 1.0]))  # a voxel is 0.005 mL


def _labels(subtype: Subtype) -> LabelMap:
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels[5:15, 5:15, 2:4] = subtype  # 200 voxels, 1 mL
    return LabelMap(voxels, GRID, Subtype)


def _wet() -> Mask:
    mask = np.zeros(GRID.shape, bool)
    mask[0:15, 5:15, 2:4] = True  # 300 voxels, of which 200 are blood
    return Mask(mask, GRID)


def test_edema_is_what_is_no_blood_and_relative_to_the_iph() -> None:
    found = measure_edema(_wet(), _labels(Subtype.IPH))
    assert found.volume.value == pytest.approx(0.5)
    assert found.ratio.value == pytest.approx(0.5)


def test_without_iph_there_is_a_volume_and_no_ratio() -> None:
    found = measure_edema(_wet(), _labels(Subtype.SDH))
    assert found.volume.value == pytest.approx(0.5)
    assert found.ratio.value is None and found.ratio.reason == "no IPH was found"


def test_no_edema_is_zero_and_no_edema_class_is_a_reason() -> None:
    dry = measure_edema(Mask(np.zeros(GRID.shape, bool), GRID), _labels(Subtype.IPH))
    assert dry.volume.value == 0.0 and dry.ratio.value == 0.0
    unknown = measure_edema(None, _labels(Subtype.IPH))
    assert unknown.volume.value is None and unknown.ratio.value is None
    assert unknown.volume.reason == "no edema labels were given"
