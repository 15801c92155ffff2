"""The outline of a hematoma on one slab: what sprouts from it, and what lies apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, label
from scipy.spatial.distance import pdist

SMALL_MM = 10.0  # a small hematoma is narrower
_SPROUT_MM = 3.0  # a sprout stands out at least so far; less is the outline's roughness
_LEAST_MM2 = 4.0  # of a piece: less is a speck
_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Outline:
    """Counts on one slab.

    Args:
        sprouts: small hematomas that join the main one.
        gaps_mm: distance of each small separate hematoma from the main one, edge to edge.
    """

    sprouts: int
    gaps_mm: tuple[float, ...]


def describe_outline(
    main: NDArray[np.bool_], every: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> Outline:
    """Find sprouts and separate pieces.

    A sprout is a part of the main hematoma where no disk of 10 mm fits, and that stands out 3 mm
    from where it fits. A separate piece counts if its largest diameter is below 10 mm.

    Args:
        main: bool ``(I, J)``, the largest hematoma; its largest piece on this slab counts.
        every: bool ``(I, J)``, all IPH.
        pixel_mm: along I and J.
    """
    if not main.any():
        return Outline(0, ())
    pieces, _ = label(every, structure=_EIGHT)
    sizes = np.bincount(pieces[main & every], minlength=int(pieces.max()) + 1)
    sizes[0] = 0
    largest = int(sizes.argmax())
    body = pieces == largest
    away = distance_transform_edt(~body, sampling=pixel_mm)
    pixel = float(np.mean(pixel_mm))
    gaps = []
    for number, box in enumerate(find_objects(pieces), start=1):
        piece = pieces[box] == number
        if number != largest and _is_small(piece, pixel_mm):
            gaps.append(float(away[box][piece].min()) - pixel)
    return Outline(_count_sprouts(body, pixel_mm), tuple(gaps))


def _is_small(piece: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> bool:
    area = piece.sum() * pixel_mm[0] * pixel_mm[1]
    if area < _LEAST_MM2 or area > SMALL_MM**2:
        return False
    points = np.argwhere(piece) * pixel_mm
    widest = float(pdist(points).max()) if len(points) > 1 else 0.0
    return widest + float(np.mean(pixel_mm)) < SMALL_MM - 1e-6


def _count_sprouts(body: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> int:
    depth = distance_transform_edt(np.pad(body, 1), sampling=pixel_mm)[1:-1, 1:-1]
    core = depth >= SMALL_MM / 2.0
    if not core.any():
        return 0
    opened = distance_transform_edt(~core, sampling=pixel_mm) < SMALL_MM / 2.0
    parts, count = label(body & ~opened, structure=_EIGHT)
    out_mm = distance_transform_edt(~opened, sampling=pixel_mm)
    return sum(
        float(out_mm[box][parts[box] == n].max()) >= _SPROUT_MM
        for n, box in zip(range(1, count + 1), find_objects(parts), strict=True)
    )
