"""Clots of known thickness in a ball of 70 mm: the same on every grid, and a reason where it cannot
be measured.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.summary import measure_exam
from monai_ich.measure.thickness import Thickness, measure_thickness
from tests.phantom import grid
from tests.strategies import reoriented

SKULL_MM = 70.0
FINE = grid(pixels=160, pixel_mm=1.0, slice_mm=1.0, count=150)
THICK = grid(pixels=160, pixel_mm=1.0, slice_mm=5.0, count=32)
TILTED = grid(pixels=160, pixel_mm=1.0, slice_mm=5.0, count=36, tilt_deg=25)
SIDE, VERTEX = (-1.0, 0.0, 0.0), (-0.6, 0.0, 0.8)


def _world(geometry: Geometry) -> np.ndarray:
    return geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))


def _layer(
    geometry: Geometry, thickness_mm: float, *, axis: tuple[float, ...] = SIDE, gap_mm: float = 0.0
) -> np.ndarray:
    """A layer of even thickness below the skull, 25 degrees wide around an axis, `gap_mm` off the
    bone.
    """
    world = _world(geometry)
    radius = np.linalg.norm(world, axis=-1)
    near = world @ np.array(axis) > np.cos(np.deg2rad(25)) * radius
    return near & (radius < SKULL_MM - gap_mm) & (radius > SKULL_MM - thickness_mm)


def _measured(geometry: Geometry, clot: np.ndarray, hu: np.ndarray | None = None) -> Thickness:
    return measure_thickness(
        clot, geometry, np.linalg.norm(_world(geometry), axis=-1) < SKULL_MM, hu
    )


@pytest.mark.slow
@pytest.mark.parametrize("geometry", [FINE, THICK, TILTED], ids=["1 mm", "5 mm", "tilted 25 deg"])
@pytest.mark.parametrize("axis", [SIDE, VERTEX], ids=["beside", "near the vertex"])
@pytest.mark.parametrize("thickness_mm", [4.0, 11.0, 25.0])
def test_a_layer_is_as_thick_as_it_was_made(
    geometry: Geometry, axis: tuple[float, ...], thickness_mm: float
) -> None:
    found = _measured(geometry, _layer(geometry, thickness_mm, axis=axis))
    assert found.measurement.value == pytest.approx(thickness_mm, abs=0.7)
    assert np.linalg.norm(found.at_ras_mm) == pytest.approx(SKULL_MM - thickness_mm, abs=1.0)


@pytest.mark.slow
def test_the_rim_that_bone_hides_counts_and_a_clot_away_from_the_skull_has_a_reason() -> None:
    assert _measured(FINE, _layer(FINE, 12.0, gap_mm=1.5)).measurement.value == pytest.approx(
        12, abs=0.7
    )
    inside = _measured(FINE, _layer(FINE, 12.0, gap_mm=5.0)).measurement
    assert (
        inside.value is None
        and inside.reason == "the clot does not lie on the skull (falx, tentorium)"
    )


@pytest.mark.slow
def test_a_leaf_along_the_falx_has_a_reason_not_its_length() -> None:
    x, y, z = np.moveaxis(_world(FINE), -1, 0)
    radius = np.sqrt(x**2 + y**2 + z**2)
    leaf = (np.abs(x - 2) < 2.5) & (radius < SKULL_MM) & (radius > 35) & (y > 20)
    assert (
        _measured(FINE, leaf).measurement.reason
        == "the clot does not lie on the skull (falx, tentorium)"
    )
    both = _measured(FINE, leaf | _layer(FINE, 9.0, axis=(-0.5, np.sqrt(0.75), 0.0)))
    assert both.measurement.value == pytest.approx(9, abs=0.7), (
        "a convexity clot that goes on along the falx"
    )


@pytest.mark.slow
def test_a_wide_clot_along_the_falx_is_not_as_thick_as_its_rim_on_the_convexity() -> None:
    x, y, z = np.moveaxis(_world(FINE), -1, 0)
    radius = np.sqrt(x**2 + y**2 + z**2)
    leaf = (x > 1) & (x < 15) & (radius < SKULL_MM) & (radius > 25) & (y > 0) & (np.abs(z) < 20)
    found = _measured(FINE, leaf | _layer(FINE, 3.0, axis=(-0.5, np.sqrt(0.75), 0.0)))
    for measured in (found.measurement, found.axial):
        assert measured.value is None and "does not lie on the skull" in measured.reason
    assert found.least_mm < 10, "so that 10 mm stay undecided"


@pytest.mark.slow
def test_axial_thickness_is_larger_than_the_normal_one_where_the_skull_is_oblique() -> None:
    """At 46 degrees, the end of the layer: sqrt(70^2 - 44.5^2) - sqrt(61.9^2 - 44.5^2) = 11.0."""
    found = _measured(FINE, _layer(FINE, 8.1, axis=(-np.cos(0.3665), 0.0, np.sin(0.3665))))
    assert found.measurement.value == pytest.approx(8.1, abs=0.5)
    assert found.axial.value == pytest.approx(11.0, abs=1.0)
    assert found.axial.name == "axial_thickness" and found.least_mm is None


@pytest.mark.slow
@pytest.mark.parametrize("geometry", [FINE, THICK], ids=["1 mm", "5 mm"])
@pytest.mark.parametrize("up_deg", [0, 21, 37, 53])
@pytest.mark.parametrize("thickness_mm", [8.1, 15.0, 22.0])
def test_axial_thickness_is_right_within_1_mm_however_high_and_thick_the_clot_is(
    geometry: Geometry, up_deg: float, thickness_mm: float
) -> None:
    """In the slice at height z a ball's layer is sqrt(70^2 - z^2) - sqrt(r^2 - z^2) wide. It counts
    up to the height at which that is the thickness over 0.7: there slices cut the skull at 45
    degrees.
    """
    up, inner_mm = np.deg2rad(up_deg), SKULL_MM - thickness_mm
    z = geometry.to_world(np.array([0, 0, 1])[None] * np.arange(geometry.shape[2])[:, None])[:, 2]
    z = z[np.abs(z) < inner_mm]
    wide = np.sqrt(SKULL_MM**2 - z**2) - np.sqrt(inner_mm**2 - z**2)
    outer, inner = (np.rad2deg(np.arcsin(z / radius)) for radius in (SKULL_MM, inner_mm))
    in_layer = (np.abs(outer - up_deg) < 25) & (np.abs(inner - up_deg) < 25)
    expected = wide[in_layer & (thickness_mm > 0.7 * wide)].max()
    found = _measured(geometry, _layer(geometry, thickness_mm, axis=(-np.cos(up), 0, np.sin(up))))
    assert found.axial.value == pytest.approx(expected, abs=1.0)


@pytest.mark.slow
def test_a_layer_on_the_vertex_has_no_axial_thickness_and_its_normal_one_is_the_least() -> None:
    found = _measured(FINE, _layer(FINE, 12.0, axis=(0.0, 0.0, 1.0)))
    assert found.measurement.value == pytest.approx(12.0, abs=0.7)
    assert found.axial.value is None and "flat angle" in found.axial.reason
    assert found.least_mm == found.measurement.value


@pytest.mark.slow
def test_a_speck_at_the_vertex_has_a_reason_not_an_error() -> None:
    speck = np.zeros(FINE.shape, bool)
    speck[79:81, 79:81, 143] = True  # 1.5 mm below the top of the ball
    found = _measured(FINE, speck)
    assert found.axial.value is None and found.axial.reason


@pytest.mark.slow
def test_below_a_craniectomy_there_is_a_reason() -> None:
    world = _world(FINE)
    radius = np.linalg.norm(world, axis=-1)
    bone = np.where((radius >= SKULL_MM) & (radius < 76), 900.0, 40.0).astype(np.float32)
    clot = _layer(FINE, 10.0)
    assert _measured(FINE, clot, bone).measurement.value == pytest.approx(10, abs=0.7)
    gone = np.where(world[..., 0] < -20, np.float32(40), bone)
    assert _measured(FINE, clot, gone).measurement.reason == "no bone covers the clot"


def test_without_a_cavity_there_is_a_reason() -> None:
    found = measure_thickness(_layer(THICK, 10.0), THICK, None)
    assert (
        found.measurement.value is None
        and found.measurement.reason == "no intracranial cavity was given"
    )


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
def test_thickness_does_not_depend_on_the_order_of_axes(
    order: list[int], flips: tuple[bool, ...]
) -> None:
    clot = np.where(_layer(THICK, 11.0), Subtype.SDH, 0).astype(np.uint8)
    cavity = np.where(
        np.linalg.norm(_world(THICK), axis=-1) < SKULL_MM, Anatomy.LEFT_HEMISPHERE, 0
    ).astype(np.uint8)
    images = LabelMap(clot, THICK, Subtype), LabelMap(cavity, THICK, Anatomy)
    labels, anatomy = (reoriented(image, order, flips) for image in images)
    found = measure_exam(labels, anatomy=anatomy)
    assert found.max_thickness_mm[Subtype.SDH] == pytest.approx(11.0, abs=0.7)
    assert found.lesions[0].thickness.value == pytest.approx(
        measure_exam(images[0], anatomy=images[1]).lesions[0].thickness.value, abs=0.05
    )


@pytest.mark.slow
def test_thickness_decides_the_criterion_where_it_can_be_measured() -> None:
    cavity = np.where(
        np.linalg.norm(_world(THICK), axis=-1) < SKULL_MM, Anatomy.LEFT_HEMISPHERE, 0
    ).astype(np.uint8)
    anatomy = LabelMap(cavity, THICK, Anatomy)

    def verdict(clot: np.ndarray, given: LabelMap | None) -> tuple[bool | None, str]:
        labels = LabelMap(np.where(clot, Subtype.SDH, 0).astype(np.uint8), THICK, Subtype)
        ct = CTVolume(np.where(clot, 60.0, 1000.0).astype(np.float32), THICK)
        found = {c.id: c for c in measure_exam(labels, ct=ct, anatomy=given).criteria}[
            "BTF-2006-SDH-THICKNESS"
        ]
        assert found.source == "Bullock 2006, doi:10.1227/01.NEU.0000210364.29290.C9"
        return found.met, found.because

    assert verdict(_layer(THICK, 14.0), anatomy)[0] is True
    assert verdict(_layer(THICK, 6.0), anatomy)[0] is False
    x, y, z = np.moveaxis(_world(THICK), -1, 0)
    leaf = (x > 1) & (x < 15) & (x**2 + y**2 + z**2 < SKULL_MM**2) & (y > 35) & (np.abs(z) < 20)
    met, because = verdict(leaf | _layer(THICK, 3.0, axis=(-0.5, np.sqrt(0.75), 0.0)), anatomy)
    assert met is None and "does not lie on the skull" in because
    assert verdict(leaf | _layer(THICK, 14.0), anatomy)[0] is True, "another part decides"
    met, because = verdict(_layer(THICK, 14.0), None)
    assert met is None and because.endswith("thickness: no intracranial cavity was given")
    assert verdict(np.zeros(THICK.shape, bool), anatomy) == (False, "no SDH")
