"""Clots keep their place, side, size and density in another head."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from monai_ich.core.labels import EDEMA, Subtype
from monai_ich.manifest.clots import Section, put_clots

BRAIN_HU, BONE_HU = 32.0, 900.0
LPS, RAS = -np.eye(2), np.eye(2)


def head(
    shape: tuple[int, int],
    half_mm: tuple[float, float],
    to_mm: NDArray[np.float64],
    seed: int = 0,
) -> Section:
    """An ellipse of brain in bone, nothing labeled."""
    rng = np.random.default_rng(seed)
    across = positions_mm(shape, to_mm) / np.array(half_mm)[:, None, None]
    cavity = (across**2).sum(0) < 1
    hu = np.where(cavity, BRAIN_HU, BONE_HU) + rng.normal(0.0, 3.0, shape)
    return Section(hu.astype(np.float32), np.zeros(shape, np.uint8), cavity, to_mm)


def positions_mm(shape: tuple[int, int], to_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right and front of the middle, ``(2, I, J)``."""
    pixels = np.indices(shape) - (np.array(shape)[:, None, None] - 1) / 2
    return np.tensordot(to_mm, pixels, 1)


def place(section: Section, value: int, hu: float, where: NDArray[np.bool_]) -> None:
    found = where & section.cavity & (section.labels == 0)
    section.labels[found] = value
    section.hu[found] += hu - BRAIN_HU


@pytest.fixture
def donor() -> Section:
    """An SDH of 6 mm on the patient's left with edema-ringed IPH at the right front."""
    found = head((150, 170), (60.0, 75.0), 1.0 * RAS)
    right, front = positions_mm(found.hu.shape, found.to_mm)
    radius = np.hypot(right / 60.0, front / 75.0)
    place(found, Subtype.SDH, 70.0, (radius > 0.9) & (right < 0) & (abs(front) < 40))
    distance = np.hypot(right - 25.0, front - 30.0)
    place(found, Subtype.IPH, 62.0, distance < 10)
    place(found, EDEMA, 24.0, distance < 16)
    return found


@pytest.mark.parametrize("to_mm", [0.5 * LPS, 0.5 * RAS, 0.5 * LPS[::-1]], ids=["LPS", "RAS", "PL"])
def test_clots_keep_side_place_and_density(donor: Section, to_mm: NDArray[np.float64]) -> None:
    real = head((300, 300), (54.0, 68.0), to_mm, seed=1)
    none = np.zeros(real.hu.shape, bool)
    hu, labels = put_clots(real, none, donor)
    right, front = positions_mm(real.hu.shape, to_mm)
    sdh, iph = labels == Subtype.SDH, labels == Subtype.IPH
    assert (right[sdh] < 0).all(), "left stays left"
    assert right[iph].mean() == pytest.approx(25 * 0.9, abs=1.0)
    assert front[iph].mean() == pytest.approx(30 * 0.9, abs=1.0)
    radius = np.hypot(right / 54.0, front / 68.0)
    assert 0.87 < radius[sdh].min() < 0.92 and radius[sdh].max() > 0.99, "on the inner table"
    assert iph.sum() * 0.25 == pytest.approx(np.pi * 100 * 0.9**2, rel=0.05)
    assert hu[iph].mean() == pytest.approx(62, abs=3) and hu[sdh].mean() == pytest.approx(70, abs=5)
    assert hu[labels == EDEMA].mean() == pytest.approx(24, abs=5)
    assert hu[iph].std() > 2, "the real slice's noise"
    far = np.hypot(right - 22.5, front - 27.0) > 22
    assert (hu == real.hu)[far & (radius < 0.8)].all(), "nothing else changes"
    assert (labels[~real.cavity] == 0).all() and hu[radius > 1.03].min() > 800, "bone stays bone"


def test_blood_in_ventricles_needs_ventricles(donor: Section) -> None:
    right, front = positions_mm(donor.hu.shape, donor.to_mm)
    place(donor, Subtype.IVH, 60.0, np.hypot(right + 15, front) < 8)
    real = head((150, 170), (60.0, 75.0), 1.0 * RAS, seed=1)
    ventricles = (np.hypot(right + 15, front) < 5) | (np.hypot(right - 25, front - 30) < 4)
    labels = put_clots(real, ventricles, donor)[1]
    assert ((labels == Subtype.IVH) == (np.hypot(right + 15, front) < 5)).all()
    assert (labels[np.hypot(right - 25, front - 30) < 4] == 0).all(), "no IPH in a ventricle"


def test_an_sdh_far_from_the_skull_stays_behind(donor: Section) -> None:
    right, front = positions_mm(donor.hu.shape, donor.to_mm)
    place(donor, Subtype.SDH, 70.0, (abs(right) < 2) & (abs(front) < 20))
    real = head((150, 170), (60.0, 75.0), 1.0 * RAS, seed=1)
    sdh = put_clots(real, np.zeros(real.hu.shape, bool), donor)[1] == Subtype.SDH
    assert sdh.any() and not sdh[abs(right) < 5].any(), "falx and tentorium lie elsewhere there"


def test_a_head_without_cavity_gets_and_gives_nothing(donor: Section) -> None:
    real = head((100, 100), (30.0, 40.0), 1.0 * RAS)
    empty = Section(real.hu, real.labels, np.zeros_like(real.cavity), real.to_mm)
    for pair in ((empty, donor), (real, empty)):
        hu, labels = put_clots(pair[0], np.zeros(real.hu.shape, bool), pair[1])
        assert hu is real.hu and not labels.any()
