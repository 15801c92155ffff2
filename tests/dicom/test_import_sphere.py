"""A sphere of 20 mL keeps its volume through DICOM, at any tilt, thickness and mixture of
thicknesses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_ich.io.read import read_ct
from tests.phantom import BRAIN_HU, density, edit, grid, series

pytestmark = pytest.mark.slow

SPHERE_ML = 20.0
_EDGE_MM = 2.0  # of the phantom's balls: one of radius a holds 4/3 pi (a^3 + pi^2 a edge^2)
RADIUS_MM = float(
    np.roots([1, 0, (np.pi * _EDGE_MM) ** 2, -SPHERE_ML * 3000 / (4 * np.pi)])[-1].real
)
SPHERE = ((-21.3, 12.7, 4.1), RADIUS_MM, 75.0)
PIXELS, PIXEL_MM = 80, 2.3
HALF_MM = 80.0


def _stack(thicknesses_mm: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Heights and thicknesses of slices that touch, in blocks of equal length."""
    widths = np.concatenate(
        [np.full(round(2 * HALF_MM / len(thicknesses_mm) / t), t) for t in thicknesses_mm]
    )
    ends = np.cumsum(widths)
    return ends - widths / 2 - ends[-1] / 2, widths


def _write(folder: Path, thicknesses_mm: list[float], tilt_deg: float) -> None:
    """Each image is the mean of the head over the slice's thickness, across its plane."""
    heights, widths = _stack(thicknesses_mm)
    geometry = grid(pixels=PIXELS, pixel_mm=PIXEL_MM, count=len(heights), tilt_deg=tilt_deg)
    ij = np.stack([*np.mgrid[:PIXELS, :PIXELS], np.zeros((PIXELS, PIXELS))], -1)
    in_plane = geometry.to_world(ij) - [0, 0, geometry.to_world([0, 0, 0])[2]]
    in_plane[..., 2] -= in_plane[..., 2].mean()
    normal = np.array([0, -np.sin(np.deg2rad(tilt_deg)), np.cos(np.deg2rad(tilt_deg))])
    up = (
        1 / normal[2]
    )  # the table moves straight: slices t apart across their planes are t / cos apart along it

    def expose(d: pydicom.Dataset, n: int) -> None:
        points = in_plane + np.array([0, 0, heights[n] * up])
        count = max(2, round(widths[n]))
        across = ((np.arange(count) + 0.5) / count - 0.5) * widths[n]
        hu = np.mean(
            [density(points + along * normal, balls=(SPHERE,)) for along in across], axis=0
        )
        d.ImagePositionPatient = [f"{v:.5f}" for v in points[0, 0] * [-1, -1, 1]]
        d.SliceThickness = str(widths[n])
        d.PixelData = (np.rint(hu).T + 1024).astype("<i2").tobytes()

    edit(series(folder, geometry), expose)


def _sphere_ml(folder: Path) -> float:
    """What the sphere adds to the brain's HU, over its contrast."""
    volume = read_ct(folder).volume
    ras = volume.geometry.to_world(np.moveaxis(np.indices(volume.geometry.shape), 0, -1))
    near = np.linalg.norm(ras - np.array(SPHERE[0]), axis=-1) < RADIUS_MM + 12
    return (
        float((volume.hu[near] - BRAIN_HU).sum())
        / (SPHERE[2] - BRAIN_HU)
        * volume.geometry.voxel_ml
    )


@pytest.mark.parametrize("tilt_deg", [0, 10, 20, 30, -30])
@pytest.mark.parametrize("thicknesses_mm", [[1.0], [2.5], [5.0], [2.5, 5.0, 7.0]], ids=str)
def test_a_sphere_keeps_its_volume(
    tmp_path: Path, thicknesses_mm: list[float], tilt_deg: float
) -> None:
    _write(tmp_path, thicknesses_mm, tilt_deg)
    assert _sphere_ml(tmp_path) == pytest.approx(SPHERE_ML, rel=0.01)
