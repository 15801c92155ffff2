import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.measurement import Category, NotMeasurable
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.measure.density import classify_density, find_brain_hu

GRID = Geometry((40, 20, 3), np.diag([1.0, 1.0, 5.0, 1.0]))
ALL = np.ones(GRID.shape, bool)


def _half(low: float, high: float) -> np.ndarray:
    hu = np.full(GRID.shape, high, np.float32)
    hu[:20] = low
    return hu


@pytest.mark.parametrize(
    ("hu", "name"),
    [
        (29.9, "hypodense"),
        (30.0, "isodense"),
        (35.0, "isodense"),
        (40.0, "isodense"),
        (40.1, "hyperdense"),
        (65.0, "hyperdense"),
    ],
)
def test_classes_end_5_hu_from_the_brain(hu: float, name: str) -> None:
    flat = np.full(GRID.shape, hu, np.float32)
    assert classify_density(flat, ALL, GRID, 35.0) == Category(name)


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [(39.9, 60.0, "mixed"), (40.2, 60.0, "hyperdense"), (35.0, 54.0, "isodense")],
    ids=["two classes 20.1 HU apart", "one class", "19 HU apart"],
)
def test_mixed_is_two_classes_at_least_20_hu_apart(low: float, high: float, name: str) -> None:
    hu = _half(low, high)
    hu[20] = low  # the darker half is a row larger, and so is the median
    assert classify_density(hu, ALL, GRID, 35.0) == Category(name)


def test_a_clot_of_two_pixels_and_an_unknown_brain_give_reasons() -> None:
    thin = np.zeros(GRID.shape, bool)
    thin[10:12] = True
    hu = np.full(GRID.shape, 60.0, np.float32)
    assert "too thin" in str(classify_density(hu, thin, GRID, 35.0).reason)
    unknown = classify_density(hu, ALL, GRID, NotMeasurable("no CT was given"))
    assert unknown == Category(None, "no CT was given")


def test_the_brain_is_what_is_neither_blood_nor_edema_nor_ventricle() -> None:
    hu = np.full(GRID.shape, 35.0, np.float32)
    anatomy = np.full(GRID.shape, Anatomy.LEFT_HEMISPHERE, np.uint8)
    blood, wet = np.zeros(GRID.shape, np.uint8), np.zeros(GRID.shape, bool)
    hu[:12], blood[:12] = 70.0, Subtype.IPH
    hu[12:24], wet[12:24] = 20.0, True
    hu[24:32], anatomy[24:32] = 8.0, Anatomy.LEFT_VENTRICLE
    labels = LabelMap(blood, GRID, Subtype)
    given = CTVolume(hu, GRID), LabelMap(anatomy, GRID, Anatomy), labels
    assert find_brain_hu(*given, Mask(wet, GRID)) == 35.0
    assert isinstance(find_brain_hu(None, given[1], labels), NotMeasurable)
    assert isinstance(find_brain_hu(given[0], None, labels), NotMeasurable)
    empty = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, Anatomy)
    assert find_brain_hu(given[0], empty, labels) == NotMeasurable("no brain is in view")
