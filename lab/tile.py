"""One synthetic head on a contact sheet: the slice to look at, its labels, and what is true of the
head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.labels import Anatomy, Subtype, label_of
from monai_ich.synth.draw import draw_case
from monai_ich.synth.generate import SyntheticScan, synthesize

WINDOW_HU = (0.0, 80.0)  # brain: level 40, width 80
_SHOWN_MM = (
    196.0,
    228.0,
)  # left-right, front-back around the cavity: the same for all tiles, so sizes compare
_CAVITY, _VENTRICLES = "#8468ff", "#ffb74d"  # unlike the color of any subtype


@dataclass(frozen=True, eq=False)
class Tile:
    """A slice of a synthetic scan; axis 0 runs to the patient's left, axis 1 to the back, as the
    scanner's grid does.

    Args:
        hu: ``(I, J)``.
        blood: ``(I, J)`` `Subtype` values.
        anatomy: ``(I, J)`` `Anatomy` values.
        pixel_mm: along I and J.
        center_mm: of the cavity's box, from the center of the first pixel along I and J.
        volume_ml: true volumes of the whole head by subtype.
    """

    seed: int
    hu: NDArray[np.float32]
    blood: NDArray[np.uint8]
    anatomy: NDArray[np.uint8]
    pixel_mm: tuple[float, float]
    center_mm: tuple[float, float]
    volume_ml: dict[str, float]
    shift_mm: float
    slice_mm: float


def make_tile(job: tuple[int, Subtype | None]) -> Tile:
    """Synthesize the head of a seed and cut its tile; see `cut_tile` for the second part of the
    job.
    """
    seed, subtype = job
    return cut_tile(synthesize(draw_case(seed)), subtype)


def cut_tile(scan: SyntheticScan, subtype: Subtype | None = None) -> Tile:
    """The slice with most blood (of one subtype, if given); the middle one of the cavity where
    there is none.

    Pixels are rectangles in the slice plane, whatever the gantry's tilt: the shear lies between
    slices.
    """
    blood, anatomy = scan.labels.voxels, scan.anatomy.voxels
    wanted = blood > 0 if subtype is None else blood == subtype
    inside = np.flatnonzero((anatomy > 0).any(axis=(0, 1)))
    amount = wanted.sum(axis=(0, 1))
    middle = int(inside[len(inside) // 2]) if inside.size else blood.shape[2] // 2
    k = int(amount.argmax()) if amount.any() else middle
    i_mm, j_mm, _ = scan.ct.geometry.spacing_mm
    return Tile(
        scan.case.seed,
        scan.ct.hu[:, :, k].copy(),
        blood[:, :, k].copy(),
        anatomy[:, :, k].copy(),
        (i_mm, j_mm),
        (_middle(anatomy, 0) * i_mm, _middle(anatomy, 1) * j_mm),
        scan.truth.volume_ml,
        scan.truth.midline_shift_mm,
        scan.case.scanner.slice_mm,
    )


def _middle(anatomy: NDArray[np.uint8], axis: int) -> float:
    hit = np.flatnonzero((anatomy > 0).any(axis=(2, 1 - axis)))
    return float(hit[0] + hit[-1]) / 2.0 if hit.size else (anatomy.shape[axis] - 1) / 2.0


def tile_title(tile: Tile, subtype: Subtype | None = None) -> str:
    """Seed, slice, volume (of one subtype, or of each that is there), shift (positive to the
    patient's right).
    """
    shown = {
        s.name: tile.volume_ml[s.name]
        for s in Subtype
        if s is subtype or tile.volume_ml[s.name] >= 0.05
    }
    if subtype is not None:
        shown = {subtype.name: shown[subtype.name]}
    blood = ", ".join(f"{name} {ml:.{0 if ml >= 10 else 1}f}" for name, ml in shown.items())
    return (
        f"{tile.seed} · {tile.slice_mm:.1f} mm · {blood + ' mL' if blood else 'no blood'} · "
        f"shift {tile.shift_mm:+.1f}"
    )


def draw_tile(plain: Any, outlined: Any, tile: Tile, subtype: Subtype | None = None) -> None:
    """Draw the slice on two matplotlib axes: as it is, and with labels outlined; the patient's left
    on the right.
    """
    columns, rows = tile.hu.shape
    i_mm, j_mm = tile.pixel_mm
    extent = (-0.5 * i_mm, (columns - 0.5) * i_mm, (rows - 0.5) * j_mm, -0.5 * j_mm)
    low, high = WINDOW_HU
    for axis in (plain, outlined):
        axis.imshow(tile.hu.T, cmap="gray", vmin=low, vmax=high, extent=extent, aspect="equal")
        for n, limit in enumerate((axis.set_xlim, axis.set_ylim)):
            ends = (tile.center_mm[n] - _SHOWN_MM[n] / 2, tile.center_mm[n] + _SHOWN_MM[n] / 2)
            limit(*(ends if n == 0 else (ends[1], ends[0])))
    masks: list[tuple[NDArray[np.bool_], Any, float]] = [
        (tile.anatomy > 0, _CAVITY, 0.4),
        (
            np.isin(tile.anatomy, (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE)),
            _VENTRICLES,
            0.4,
        ),
        *((tile.blood == s, tuple(c / 255 for c in label_of(s).color), 0.8) for s in Subtype),
    ]
    x, y = np.arange(columns) * i_mm, np.arange(rows) * j_mm
    for mask, color, width in masks:
        if mask.any() and not mask.all():
            outlined.contour(
                x, y, mask.T.astype(np.float32), [0.5], colors=[color], linewidths=width
            )
    plain.text(
        0.01,
        1.01,
        tile_title(tile, subtype),
        color="#dddddd",
        fontsize=6.5,
        transform=plain.transAxes,
    )
