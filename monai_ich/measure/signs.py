"""Signs of an IPH on non-contrast CT by their published definitions, as facts; no advice.

Where a definition rests on the eye, a limit of ours stands in its place, and each verdict says the
numbers behind it. A lying patient on the back is assumed for the fluid level.

References:
    Morotti 2019, doi:10.1002/ana.25563 (terms and definitions of all signs)
"""

from __future__ import annotations

import numpy as np

from monai_ich.core.exam import Criterion
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.sign_density import Inside, Region, dark_regions, level_hu, look_inside
from monai_ich.measure.sign_shape import Outline, describe_outline
from monai_ich.measure.slabs import Slabs, cut_slabs

_STANDARD = "Morotti 2019, doi:10.1002/ana.25563"
SOURCES = {
    "island_sign": "Li 2017, doi:10.1161/STROKEAHA.117.017985",
    "satellite_sign": "Shimoda 2017, doi:10.1159/000477179",
    "irregular_shape": "Barras 2009, doi:10.1161/STROKEAHA.108.536888",
    "blend_sign": "Li 2015, doi:10.1161/STROKEAHA.115.009185",
    "black_hole_sign": "Li 2016, doi:10.1161/STROKEAHA.116.013186",
    "swirl_sign": "Selariu 2012, doi:10.1186/1471-2377-12-109",
    "heterogeneous_density": "Barras 2009, doi:10.1161/STROKEAHA.108.536888",
    "fluid_level": _STANDARD,
}
_OF_SHAPE = ("island_sign", "satellite_sign", "irregular_shape")
_LEAST_MM2 = 100.0
_SATELLITE_GAP_MM = (1.0, 20.0)
_BLEND_HU, _HOLE_HU = 18.0, 28.0
_FOCUS_HU = 10.0  # of heterogeneous density and fluid level, published by eye
ISODENSE_HU = 5.0  # by eye, too: about as much as gray and white matter differ
_LEVEL_SHARE = 0.85  # of the variance between rows; a slope from bottom to top reaches 0.75
Verdict = tuple[bool | None, str]


def sign_title(name: str) -> str:
    """
    >>> sign_title("black_hole_sign")
    'Black hole sign'
    """
    return name.replace("_", " ").capitalize()


def check_signs(
    labels: LabelMap, ct: CTVolume | None, brain_hu: float | NotMeasurable
) -> tuple[Criterion, ...]:
    """Check the largest IPH for each sign of `SOURCES`, on axial slabs of up to 5 mm.

    Args:
        labels: map of `Subtype`, slices along K.
        ct: on the same grid; without one only the signs of shape are decided.
        brain_hu: median density of the brain, for the swirl sign.

    Returns:
        One for each sign; ``met`` is None where it cannot be decided.
    """
    slabs = cut_slabs(labels, ct)
    if not isinstance(slabs, NotMeasurable) and slabs.area_mm2.max(initial=0.0) < _LEAST_MM2:
        slabs = NotMeasurable("the hematoma is smaller than 1 cm2 on every slice")
    if isinstance(slabs, NotMeasurable):
        verdicts: dict[str, Verdict] = dict.fromkeys(SOURCES, (None, slabs.reason))
    else:
        verdicts = _shape(slabs) | _density(slabs, brain_hu)
    return tuple(
        Criterion(
            name,
            *verdicts[name],
            source if source == _STANDARD else f"{source}; {_STANDARD}",
            sign_title(name),
        )
        for name, source in SOURCES.items()
    )


def _shape(slabs: Slabs) -> dict[str, Verdict]:
    """Signs of the outline: on the slab where they are plainest, the shape on the largest one."""
    outlines = [
        describe_outline(slabs.main[..., s], slabs.all[..., s], slabs.pixel_mm)
        for s in range(slabs.main.shape[2])
    ]
    low, high = _SATELLITE_GAP_MM
    gaps = [gap for outline in outlines for gap in outline.gaps_mm]
    near = [gap for gap in gaps if low - 1e-6 <= gap <= high + 1e-6]
    apart = max(len(outline.gaps_mm) for outline in outlines)
    small = max(_small(outline) for outline in outlines)
    uneven = _small(outlines[int(slabs.area_mm2.argmax())])
    return {
        "island_sign": (
            apart >= 3 or small >= 4,
            f"small hematomas apart: {apart}, limit 3; with joined ones: {small}, limit 4",
        ),
        "satellite_sign": (
            bool(near),
            f"small hematomas apart: {len(gaps)}, of these 1 to 20 mm away: {len(near)}",
        ),
        "irregular_shape": (uneven >= 2, f"irregularities of the margin: {uneven}, limit 2"),
    }


def _small(outline: Outline) -> int:
    return outline.sprouts + len(outline.gaps_mm)


def _density(slabs: Slabs, brain_hu: float | NotMeasurable) -> dict[str, Verdict]:
    """Signs inside; each on the slab where it is plainest, foci on the largest one.

    Slabs of less than half the largest area cut the hematoma's caps, which share them with brain.
    """
    names = [name for name in SOURCES if name not in _OF_SHAPE]
    if slabs.hu is None:
        return dict.fromkeys(names, (None, "no CT was given"))
    area = slabs.area_mm2
    seen = {
        s: inside
        for s in np.flatnonzero(area >= max(_LEAST_MM2, 0.5 * area.max())).tolist()
        if (inside := look_inside(slabs.main[..., s], slabs.hu[..., s], slabs.pixel_mm))
    }
    largest = seen.get(int(area.argmax()))
    if largest is None:
        return dict.fromkeys(names, (None, "the hematoma is too narrow"))
    insides = list(seen.values())
    foci = sum(r.below_hu >= _FOCUS_HU for r in dark_regions(largest, _FOCUS_HU))
    return {
        "blend_sign": _blend(insides),
        "black_hole_sign": _black_hole(insides),
        "swirl_sign": _swirl(insides, brain_hu),
        "heterogeneous_density": (foci >= 3, f"dark foci on the largest slice: {foci}, limit 3"),
        "fluid_level": _fluid_level(insides, slabs.up_mm),
    }


def _blend(insides: list[Inside]) -> Verdict:
    """Two adjacent regions with a clear border, the darker one not enclosed."""
    steps = [
        r.below_hu
        for x in insides
        for r in dark_regions(x, _BLEND_HU)
        if r.wide and r.sharp and not r.enclosed
    ]
    return _largest(steps, _BLEND_HU, "between two adjacent regions")


def _black_hole(insides: list[Inside]) -> Verdict:
    steps = [r.below_hu for x in insides for r in dark_regions(x, _HOLE_HU) if r.enclosed]
    return _largest(steps, _HOLE_HU, "between an enclosed region and what is around it")


def _largest(steps: list[float], limit: float, what: str) -> Verdict:
    if not steps:
        return False, f"no region is darker by half of {limit:.0f} HU"
    return max(steps) >= limit, f"{max(steps):.1f} HU {what}, limit {limit:.0f} HU"


def _swirl(insides: list[Inside], brain_hu: float | NotMeasurable) -> Verdict:
    """A region inside of dense blood that is no denser than the brain."""
    if isinstance(brain_hu, NotMeasurable):
        return None, brain_hu.reason
    limit = brain_hu + ISODENSE_HU
    dense = [x for x in insides if x.dense_hu > limit]
    if not dense:
        return None, f"the hematoma is no denser than the brain ({brain_hu:.1f} HU)"
    regions: list[Region] = [
        r for x in dense for r in dark_regions(x, x.dense_hu - limit) if r.enclosed
    ]
    if not regions:
        return False, "no enclosed darker region"
    darkest = min(r.hu for r in regions)
    return darkest <= limit, f"{darkest:.1f} HU in an enclosed region, limit {limit:.1f} HU"


def _fluid_level(insides: list[Inside], up_mm: tuple[float, float]) -> Verdict:
    found = [level_hu(x, up_mm) for x in insides]
    straight = [step for step, share in found if share >= _LEVEL_SHARE]
    if not straight:
        return False, "no straight level line"
    return _largest(straight, _FOCUS_HU, "across a level line")
