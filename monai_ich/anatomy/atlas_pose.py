"""A head in the space of the atlas: its anatomy labels brought to those of the average head.

Three surfaces are fitted: cavity, tentorium and ventricles; and the ideal midline comes to lie on
x = 0. The atlas (``surfaces.npz``, made by ``lab/surface_atlas.py``) holds signed distances from
the same surfaces of the average head that synthetic heads are bent from, whose tissue is the
MNI152 template's.

References:
    Fonov 2011, doi:10.1016/j.neuroimage.2010.07.033 (MNI152)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from monai_ich.anatomy.coarse import coarse_copy
from monai_ich.core.atlas import AtlasPose
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.volume import LabelMap, contacts, holds

_STEP_MM = 2.0
_POINTS = 400  # of each surface
_LEAST_POINTS = 60
_PITCHES_DEG = (-20.0, 0.0, 20.0)  # to start from; the rest of the turn is the midline's
_USUAL_SCALE, _SCALE_SD = 1.09, 0.06  # MNI152 heads are larger than most
_SCATTER_MM = (3.0, 3.0, 5.0)  # of cavity, tentorium, ventricles: a bleed may have moved these
_PLANE_MM = 0.5
_ON_PLANE_MM = np.array([[y, z] for y in (-60.0, 0.0, 60.0) for z in (-40.0, 0.0, 40.0)])
_X_SCALE = np.array([0.05] * 6 + [3.0] * 3)  # what moves a head by about 3 mm
_MOST_TRIES, _ENOUGH = 25, 1e-3  # steps; share of cost and place that a step must still win
_TENTORIUM_MM = (0.0, -53.0, -20.0)  # its middle in the atlas
_WORST_MM = 8.0


@dataclass(frozen=True, eq=False)
class _Atlas:
    """Signed distances ``(3, X, Y, Z)`` in mm, and where the grid lies."""

    maps_mm: NDArray[np.float32]
    low_mm: FloatArray
    spacing_mm: float

    def distance_mm(self, surface: int, mni_mm: FloatArray) -> FloatArray:
        """Of points ``(N, 3)`` from one surface."""
        ijk = ((mni_mm - self.low_mm) / self.spacing_mm).T
        return np.asarray(
            map_coordinates(self.maps_mm[surface], ijk, order=1, mode="nearest"), np.float64
        )


@cache
def _load_atlas() -> _Atlas:
    with np.load(Path(__file__).with_name("surfaces.npz")) as held:
        maps = held["half_mm"].astype(np.float32) / 2.0
        return _Atlas(maps, held["low_mm"].astype(np.float64), float(held["spacing_mm"]))


def find_atlas_pose(
    anatomy: LabelMap, midline: Midline | NotMeasurable
) -> AtlasPose | NotMeasurable:
    """Find turn, scales and place that bring the labels to the atlas, by robust least squares.

    Works on any grid. A surface that the field of view cuts off says nothing there.

    Args:
        anatomy: map of `Anatomy`.
        midline: from `fit_midline`; without one left and right are not known well enough.

    Returns:
        The map to MNI mm, or the reason why there is none.
    """
    if isinstance(midline, NotMeasurable):
        return midline
    surfaces = _surfaces(anatomy)
    if min(len(surface) for surface in surfaces[:2]) < _LEAST_POINTS:
        return NotMeasurable("the anatomy labels show no cavity with a posterior fossa")
    starts = [_start(surfaces, midline, np.deg2rad(pitch)) for pitch in _PITCHES_DEG]
    fits = [_fit(surfaces, midline, start, every=5) for start in starts]
    found, _ = _fit(surfaces, midline, min(fits, key=lambda fit: fit[1])[0])
    pose = AtlasPose(_affine(found, midline))
    apart = _load_atlas().distance_mm(0, pose.to_mni(surfaces[0]))
    if float(np.median(np.abs(apart))) > _WORST_MM:
        return NotMeasurable("the anatomy labels do not fit the atlas")
    return pose


def _start(surfaces: list[FloatArray], midline: Midline, pitch: float) -> FloatArray:
    """The usual scales, and the middles of the tentoria one on the other."""
    start = np.array([pitch, 0.0, 0.0, *[np.log(_USUAL_SCALE)] * 3, 0.0, 0.0, 0.0])
    start[6:] = _TENTORIUM_MM - AtlasPose(_affine(start, midline)).to_mni(surfaces[1].mean(axis=0))
    return start


def _affine(parameters: FloatArray, midline: Midline) -> FloatArray:
    """World to MNI: turn by the midline's axes, then by three angles; scale; shift.

    Args:
        parameters: ``(9,)`` angles about x, y, z in radians, logarithms of the scales, shift in mm.
    """
    axes = np.stack([midline.normal, *midline.front_and_top])
    turn = Rotation.from_euler("xyz", parameters[:3]).as_matrix() @ axes
    linear = np.exp(parameters[3:6])[:, None] * turn
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, parameters[6:] - linear @ midline.point_mm
    return affine


def _fit(
    surfaces: list[FloatArray], midline: Midline, start: FloatArray, every: int = 1
) -> tuple[FloatArray, float]:
    """The nine parameters of `_affine` from a start, and what is left of the cost."""
    atlas = _load_atlas()
    points = [surface[::every] for surface in surfaces]
    flat = midline.point_mm + _ON_PLANE_MM @ midline.front_and_top

    def residuals(parameters: FloatArray) -> FloatArray:
        pose = AtlasPose(_affine(parameters, midline))
        off = [
            atlas.distance_mm(n, pose.to_mni(p)) / mm
            for n, (p, mm) in enumerate(zip(points, _SCATTER_MM, strict=True))
        ]
        plane = pose.to_mni(flat)[:, 0] / _PLANE_MM
        usual = (parameters[3:6] - np.log(_USUAL_SCALE)) / _SCALE_SD
        return np.concatenate([*off, plane, usual])

    found = least_squares(
        residuals,
        start,
        loss="soft_l1",
        x_scale=_X_SCALE,
        ftol=_ENOUGH,
        xtol=_ENOUGH,
        max_nfev=_MOST_TRIES,
    )
    return np.asarray(found.x), float(found.cost)


def _surfaces(anatomy: LabelMap) -> list[FloatArray]:
    """Points ``(N, 3)`` RAS mm on the cavity, on the tentorium and on the ventricles."""
    voxels, geometry, _, _ = coarse_copy(anatomy, _STEP_MM)
    cavity, below = voxels > 0, voxels == Anatomy.POSTERIOR_FOSSA
    ventricles = holds(voxels, (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE))
    brain = cavity & ~ventricles
    pairs = ((cavity, ~cavity), (below, cavity & ~below), (ventricles, brain & ~below))
    return [_between(one, other, geometry) for one, other in pairs]


def _between(one: NDArray[np.bool_], other: NDArray[np.bool_], geometry: Geometry) -> FloatArray:
    """Some `_POINTS` of the `contacts` of two masks, RAS mm."""
    points = contacts(one, other)
    chosen = np.linspace(0, len(points) - 1, min(_POINTS, len(points))).astype(int)
    return geometry.to_world(points[chosen])
