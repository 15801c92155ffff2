"""Synthetic heads at random: every range stands here, once.

Sources: the project's synthesis rules (published ranges of tissue HU, clot density by age, volumes
and scanner settings of emergency head CT).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monai_ich.core.labels import Subtype
from monai_ich.parts.pictures import draw_pictures
from monai_ich.synth.case import (
    SETTLED,
    AnatomyCase,
    HeadCase,
    HemorrhageCase,
    Point,
    ScannerCase,
    SkullDefect,
    Swelling,
)

# (left-right, anterior, superior) in MNI mm; left-right is mirrored by the side
_IPH_SITES = (
    ((27, -2, 2), 0.30),  # putamen
    ((13, -19, 8), 0.15),  # thalamus
    ((20, -60, -36), 0.08),  # cerebellum
    ((3, -27, -32), 0.04),  # pons
    ((32, 38, 5), 0.13),  # frontal lobe
    ((28, 42, -14), 0.08),  # frontal base (contusion)
    ((45, 2, -26), 0.07),  # temporal pole (contusion)
    ((48, -30, 0), 0.07),  # temporal lobe
    ((35, -45, 38), 0.05),  # parietal lobe
    ((25, -80, 12), 0.03),  # occipital lobe
)
_SAH_SITES = (
    (4, -8, -18),
    (42, 8, -4),
    (8, 40, 25),
    (45, -25, 35),
    (48, 20, 18),
    (25, -35, 60),
    (12, -40, -8),
)
_RANGE_ML = {  # volumes are log-uniform
    Subtype.EDH: (0.8, 90.0),
    Subtype.IPH: (0.2, 90.0),
    Subtype.IVH: (0.4, 40.0),
    Subtype.SAH: (0.8, 40.0),
    Subtype.SDH: (1.5, 120.0),
}
_MAX_INFRATENTORIAL_ML = 25.0
_WINDOWS_HU = (
    (0.0, 80.0),
    (0.0, 80.0),
    (-20.0, 100.0),
    (-5.0, 85.0),
    (-50.0, 150.0),
)  # of 8-bit exports
_SHARE = {
    Subtype.EDH: 0.17,
    Subtype.IPH: 0.24,
    Subtype.IVH: 0.17,
    Subtype.SAH: 0.2,
    Subtype.SDH: 0.22,
}
NO_BLEED_SHARE = 0.3
_PIXELS, _PIXELS_SHARE = (160, 208, 256), (0.3, 0.35, 0.35)  # rows and columns: 1.4, 1.1 and 0.9 mm
_TRAUMA_SHARE = 0.22  # of heads with blood: several kinds at once
_CONTUSION_SITES = (
    (30, 38, -12),
    (12, 45, -18),
    (45, 0, -26),
    (50, -20, -16),
    (42, 42, 12),
    (50, -45, -5),
)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _choroid_mm(rng: np.random.Generator) -> float:
    return float(rng.uniform(1.0, 4.5)) * (rng.random() < 0.8)


def draw_anatomy(rng: np.random.Generator) -> AnatomyCase:
    """A head at random: size and shape, age (atrophy widens sulci, ventricles and the outer gap
    together).
    """
    size = rng.normal(0.915, 0.035)
    age = rng.beta(1.3, 1.6)
    shape = rng.normal(1.0, [0.035, 0.035, 0.03])
    infarct = (
        float(rng.choice([-1, 1]) * rng.uniform(25, 55)),
        rng.uniform(-75, 40),
        rng.uniform(-5, 45),
    )
    return AnatomyCase(
        scale=_point(np.clip(size * shape, 0.8, 1.04)),
        warp_mm=rng.uniform(0.6, 2.8),
        sulcus_threshold=0.35 + 0.4 * age + rng.normal(0, 0.05),
        fold_width=0.06 + 0.34 * age * rng.uniform(0.5, 1.2),
        ventricle_growth_mm=-0.8 + 6.0 * age * rng.uniform(0.2, 1.1),
        csf_gap_mm=0.8 + 4.5 * age * rng.uniform(0.1, 1.0),
        skull_mm=rng.uniform(4.0, 10.0),
        scalp_mm=rng.uniform(3.0, 10.0),
        gray_hu=rng.normal(37.0, 3.0),
        white_drop_hu=rng.uniform(3.0, 10.0),
        csf_hu=rng.uniform(2.0, 14.0),
        bone_hu=rng.uniform(800.0, 1700.0),
        white_lesion_hu=float(rng.uniform(0, 12) * age * (rng.random() < 0.5)),
        sinus_hu=rng.uniform(42.0, 74.0),
        dura_hu=rng.uniform(44.0, 78.0),
        dura_mm=rng.uniform(0.4, 1.2) if rng.random() < 0.75 else rng.uniform(1.2, 2.0),
        base_streak_hu=float(rng.uniform(-4.0, 14.0)),
        calcified=bool(rng.random() < 0.7),
        choroid_mm=(_choroid_mm(rng), _choroid_mm(rng)),
        choroid_hu=float(
            rng.uniform(70.0, 260.0) if rng.random() < 0.65 else rng.uniform(42.0, 62.0)
        ),
        vessel_hu=float(rng.uniform(38.0, 66.0)),
        fissure_mm=float(0.4 + 2.6 * age * rng.uniform(0.4, 1.0)),
        calcified_ganglia=bool(rng.random() < 0.08),
        holder=bool(rng.random() < 0.5),
        drain=int(rng.choice([-1, 1])) if rng.random() < 0.06 else 0,
        infarct_mm=(*infarct, rng.uniform(8, 28)) if rng.random() < 0.2 else None,
        defect=draw_defect(rng) if rng.random() < 0.14 else None,
        swelling=draw_swelling(rng) if rng.random() < 0.25 else None,
    )


def draw_defect(rng: np.random.Generator) -> SkullDefect:
    """What surgery left: a burr hole, a bone flap put back, or no bone."""
    kind = str(rng.choice(["burr hole", "craniotomy", "craniectomy"], p=[0.35, 0.4, 0.25]))
    center = _to_side(_on_vault(rng, (-40, 60), (10, 55)), int(rng.choice([-1, 1])))
    radius_mm = {"burr hole": (4.0, 8.0), "craniotomy": (18.0, 45.0), "craniectomy": (30.0, 60.0)}[
        kind
    ]
    bulge_mm = rng.uniform(-6.0, 12.0) if kind == "craniectomy" else 0.0
    return SkullDefect(
        kind, center, rng.uniform(*radius_mm), bulge_mm, float(rng.choice([0.0, rng.uniform(3, 9)]))
    )


def draw_swelling(rng: np.random.Generator) -> Swelling:
    """A scalp hematoma."""
    center = _to_side(_on_vault(rng, (-75, 80), (-5, 70)), int(rng.choice([-1, 1])))
    return Swelling(
        center, rng.uniform(15.0, 55.0), rng.uniform(3.0, 14.0), rng.uniform(38.0, 75.0)
    )


def _on_vault(
    rng: np.random.Generator, azimuth_deg: tuple[float, float], elevation_deg: tuple[float, float]
) -> Point:
    """A direction from the center of the head to its right vault, as a point well outside or near
    the skull.
    """
    a, e = math.radians(rng.uniform(*azimuth_deg)), math.radians(rng.uniform(*elevation_deg))
    return (
        70 * math.cos(a) * math.cos(e),
        -18 + 88 * math.sin(a) * math.cos(e),
        10 + 75 * math.sin(e),
    )


def _to_side(point: Point, side: int) -> Point:
    return (side * point[0], point[1], point[2])


def draw_hemorrhage(
    rng: np.random.Generator,
    subtype: Subtype,
    side: int | None = None,
    range_ml: tuple[float, float] | None = None,
) -> HemorrhageCase:
    """A bleed of one subtype at random: where, how large, how dense; `range_ml` narrows its
    volume.
    """
    side = side or int(rng.choice([-1, 1]))
    bleed = HemorrhageCase(
        subtype,
        volume_ml=_log_uniform(rng, *(range_ml or _RANGE_ML[subtype])),
        hu=float(rng.uniform(47.0, 82.0)),
        side=side,
        center_mm=(side * 12.0, -10.0, 12.0),
        extent_mm=0.0,
        roughness=float(rng.uniform(0.1, 0.4)),
        texture=float(rng.uniform(0.02, 0.15)),
        level_hu=float(rng.uniform(5.0, 25.0) if rng.random() < 0.12 else 0.0),
    )
    draw: dict[Subtype, Callable[[np.random.Generator, HemorrhageCase], HemorrhageCase]] = {
        Subtype.EDH: _draw_edh,
        Subtype.IPH: _draw_iph,
        Subtype.IVH: _draw_ivh,
        Subtype.SAH: _draw_sah,
        Subtype.SDH: lambda rng, bleed: _draw_sdh(rng, bleed, range_ml is not None),
    }
    return draw[subtype](rng, bleed)


def _jittered(rng: np.random.Generator, point: Point, side: int) -> Point:
    return _point(np.asarray(_to_side(point, side)) + rng.normal(0, 5.0, 3))


def _draw_iph(rng: np.random.Generator, bleed: HemorrhageCase) -> HemorrhageCase:
    sites, weights = zip(*_IPH_SITES, strict=True)
    site = _jittered(rng, sites[rng.choice(len(sites), p=weights)], bleed.side)
    most_ml = _MAX_INFRATENTORIAL_ML if site[2] < -20.0 and site[1] < -15.0 else math.inf
    rim_mm = float(rng.uniform(2.0, 16.0)) * (rng.random() < 0.85)
    return replace(
        bleed,
        center_mm=site,
        extent_mm=rim_mm,
        edema_hu=float(rng.uniform(6.0, 15.0)),
        volume_ml=min(bleed.volume_ml, most_ml),
    )


def _draw_contusion(rng: np.random.Generator, side: int) -> HemorrhageCase:
    """Blood of mixed density in the cortex of frontal base, temporal pole or convexity, with
    edema.
    """
    bleed = _draw_iph(rng, draw_hemorrhage(rng, Subtype.IPH, side, (0.2, 12.0)))
    site = _CONTUSION_SITES[rng.integers(len(_CONTUSION_SITES))]
    return replace(
        bleed,
        center_mm=_jittered(rng, site, side),
        texture=rng.uniform(0.12, 0.35),
        hu=rng.uniform(48.0, 70.0),
        roughness=rng.uniform(0.3, 0.7),
    )


def _draw_ivh(rng: np.random.Generator, bleed: HemorrhageCase) -> HemorrhageCase:
    """A cast; or blood that settled in the occipital horns, most often a few milliliters."""
    bleed = replace(bleed, extent_mm=rng.uniform(10.0, 70.0))
    if bleed.roughness < SETTLED and rng.random() < 0.6:
        return replace(bleed, volume_ml=min(bleed.volume_ml, _log_uniform(rng, 0.4, 6.0)))
    return bleed


def _draw_sah(rng: np.random.Generator, bleed: HemorrhageCase) -> HemorrhageCase:
    """In sulci around a place of the convexity; or, of a ruptured aneurysm, from the basal cisterns
    outward.
    """
    bleed = replace(bleed, extent_mm=rng.uniform(15.0, 60.0), hu=rng.uniform(50.0, 76.0))
    if rng.random() < 0.45:
        return replace(bleed, place="cisterns", volume_ml=_log_uniform(rng, 2.0, 45.0))
    return replace(
        bleed, center_mm=_jittered(rng, _SAH_SITES[rng.integers(len(_SAH_SITES))], bleed.side)
    )


def _draw_edh(rng: np.random.Generator, bleed: HemorrhageCase) -> HemorrhageCase:
    """A lens: its greatest thickness is 0.3 to 0.7 of its radius."""
    ratio = rng.uniform(0.3, 0.7)
    extent_mm = (2000.0 * bleed.volume_ml / (math.pi * ratio)) ** (1 / 3)
    site = _to_side(_on_vault(rng, (-50, 55), (-25, 45)), bleed.side)
    return replace(bleed, center_mm=site, extent_mm=float(np.clip(extent_mm, 10.0, 55.0)))


def _draw_sdh(rng: np.random.Generator, bleed: HemorrhageCase, is_given: bool) -> HemorrhageCase:
    """A crescent, thin for its reach; one in five along falx or tentorium; one in four not
    fresh.
    """
    thickness_mm = min(
        _log_uniform(rng, 3.0, 18.0), 1.8 * bleed.volume_ml**0.45
    )  # a crescent, not a lens
    if rng.random() < 0.35 and not is_given:  # thin and long
        thickness_mm, reach_mm = rng.uniform(2.2, 5.0), rng.uniform(45.0, 95.0)
        bleed = replace(bleed, volume_ml=math.pi * 0.6 * thickness_mm * reach_mm**2 / 1000.0)
    extent_mm = math.sqrt(1000.0 * bleed.volume_ml / (math.pi * 0.6 * thickness_mm))
    place = str(rng.choice(["convexity", "falx", "tentorium"], p=[0.8, 0.12, 0.08]))
    center = {
        "convexity": _on_vault(rng, (-55, 60), (0, 55)),
        "falx": (2.0, rng.uniform(-70.0, 45.0), rng.uniform(25.0, 60.0)),
        "tentorium": (20.0, rng.uniform(-65.0, -50.0), -10.0),
    }[place]
    if place != "convexity":
        bleed = replace(bleed, volume_ml=min(bleed.volume_ml, rng.uniform(4.0, 15.0)))
        extent_mm = rng.uniform(22.0, 50.0)
    if rng.random() < 0.25:
        bleed = replace(
            bleed,
            hu=rng.uniform(20.0, 48.0),
            level_hu=float(rng.choice([0.0, rng.uniform(8.0, 30.0)])),
        )
    return replace(
        bleed,
        place=place,
        center_mm=_to_side(center, bleed.side),
        extent_mm=float(np.clip(extent_mm, 26.0, 100.0)),
    )


def _draw_trauma(rng: np.random.Generator) -> tuple[HemorrhageCase, ...]:
    """What a blow leaves: clots on the skull, contusions, often opposite, and blood in sulci,
    several at once.
    """
    side = int(rng.choice([-1, 1]))
    bleeds = [
        _draw_contusion(rng, -side if rng.random() < 0.6 else side)
        for _ in range(rng.integers(0, 4))
    ]
    if rng.random() < 0.75:
        bleeds.append(draw_hemorrhage(rng, Subtype.SDH, side))
        if rng.random() < 0.35:
            bleeds.append(draw_hemorrhage(rng, Subtype.SDH, -side))
    if rng.random() < 0.35:
        bleeds.append(draw_hemorrhage(rng, Subtype.EDH, side, (0.8, 40.0)))
    if rng.random() < 0.7 or not bleeds:
        bleeds += [
            draw_hemorrhage(rng, Subtype.SAH, s, (0.8, 12.0))
            for s in (side, -side)[: rng.integers(1, 3)]
        ]
    if rng.random() < 0.2:
        bleeds.append(draw_hemorrhage(rng, Subtype.IVH, range_ml=(0.4, 5.0)))
    return tuple(sorted(bleeds, key=lambda b: b.subtype))


def _draw_hemorrhages(rng: np.random.Generator) -> tuple[HemorrhageCase, ...]:
    if rng.random() < NO_BLEED_SHARE:
        return ()
    if rng.random() < _TRAUMA_SHARE:
        return _draw_trauma(rng)
    kinds = list(Subtype)
    weights = np.array([_SHARE[k] for k in kinds])
    count = 1 + int(rng.random() < 0.45) + int(rng.random() < 0.2)
    chosen = rng.choice(len(kinds), size=count, replace=False, p=weights)
    bleeds = [draw_hemorrhage(rng, kinds[i]) for i in chosen]
    for bleed in tuple(bleeds):
        if bleed.subtype is Subtype.SDH and rng.random() < 0.3:  # on both sides
            bleeds.append(draw_hemorrhage(rng, Subtype.SDH, -bleed.side))
        if bleed.subtype is Subtype.IPH and rng.random() < 0.25:  # several contusions
            bleeds += [
                _draw_contusion(rng, int(rng.choice([-1, 1]))) for _ in range(rng.integers(1, 4))
            ]
    return tuple(sorted(bleeds, key=lambda b: b.subtype))


def natural_shift_mm(rng: np.random.Generator, bleeds: tuple[HemorrhageCase, ...]) -> float:
    """A shift that fits the bleeds, away from them, but varied enough that neither predicts the
    other.
    """
    mass = sum(
        -b.side * b.volume_ml
        for b in bleeds
        if b.subtype in (Subtype.EDH, Subtype.IPH, Subtype.SDH)
    )
    shift = mass * rng.uniform(0.0, 0.25)
    if rng.random() < 0.2:  # edema or tumor without visible blood
        shift += rng.choice([-1, 1]) * rng.uniform(2.0, 14.0)
    return float(np.clip(shift, -17.0, 17.0))


def draw_scanner(rng: np.random.Generator) -> ScannerCase:
    """An emergency head scan at random; one in five came as pictures of a window, one in twelve was
    clipped to it.
    """
    thin = rng.random() < 0.35
    slice_mm = float(rng.uniform(0.8, 2.5) if thin else rng.uniform(2.5, 7.0))
    tilt = float(rng.uniform(-25, 25) if rng.random() < 0.5 else 0.0)
    spread = 9.0 if rng.random() < 0.8 else 16.0
    export, pixels = rng.random(), int(rng.choice(_PIXELS, p=_PIXELS_SHARE))
    return ScannerCase(
        pixels=pixels,
        pixel_mm=float(rng.uniform(200.0, 264.0)) / pixels,
        slice_mm=slice_mm,
        thickness_mm=slice_mm * float(rng.choice([1.0, 1.0, rng.uniform(0.7, 1.3)])),
        tilt_deg=tilt,
        rotation_deg=_point(np.clip(rng.normal(0, spread, 3), -25, 25)),
        offset_mm=(float(rng.normal(0, 8)), float(rng.normal(0, 8))),
        bottom_mm=float(rng.uniform(-75, -52) if rng.random() < 0.85 else rng.uniform(-52, -25)),
        top_mm=float(rng.uniform(80, 105) if rng.random() < 0.9 else rng.uniform(60, 80)),
        noise_hu=float(rng.uniform(1.5, 7.0)) * (1.25 if thin else 1.0),
        noise_blur_mm=float(rng.uniform(0.4, 1.2)),
        blur_mm=float(rng.uniform(0.3, 0.75)),
        sharpen=float(rng.uniform(0, 0.8) if rng.random() < 0.3 else 0.0),
        gain=float(rng.normal(1.0, 0.02)),
        offset_hu=float(rng.normal(0, 2.0)),
        cup_hu=float(rng.normal(0, 3.0)),
        motion_mm=float(rng.uniform(1.5, 6.0) if rng.random() < 0.07 else 0.0),
        metal_mm=_point(rng.normal([0, -5, 10], [35, 45, 30])) if rng.random() < 0.05 else None,
        window_hu=_WINDOWS_HU[rng.integers(len(_WINDOWS_HU))] if export < 0.08 else None,
        pictures=draw_pictures(rng) if 0.08 <= export < 0.28 else None,
        glow_hu=float(rng.uniform(0.0, 60.0)),
        glow_mm=float(rng.uniform(5.0, 14.0)),
        tail_share=float(rng.uniform(0.0, 0.16)),
        tail_mm=float(rng.uniform(1.0, 3.0)),
    )


def draw_case(seed: int) -> HeadCase:
    """A whole case at random."""
    rng = np.random.default_rng(seed)
    bleeds = _draw_hemorrhages(rng)
    return HeadCase(
        seed, draw_anatomy(rng), bleeds, natural_shift_mm(rng, bleeds), draw_scanner(rng)
    )


def with_hemorrhages(
    case: HeadCase, wanted: dict[Subtype, float], *, side: int | None = None
) -> HeadCase:
    """The same head and scan with the given bleeds (subtype to mL) instead of its own.

    Raises:
        ValueError: a volume is not above 0 mL.
    """
    if not all(0.0 < ml < math.inf for ml in wanted.values()):
        raise ValueError(f"A bleed has more than 0 mL, found {sorted(wanted.values())}.")
    rng = np.random.default_rng([case.seed, 1])
    bleeds = tuple(_draw_of(rng, kind, side, ml) for kind, ml in sorted(wanted.items()))
    return replace(case, hemorrhages=bleeds, shift_mm=natural_shift_mm(rng, bleeds))


def _draw_of(
    rng: np.random.Generator, subtype: Subtype, side: int | None, volume_ml: float
) -> HemorrhageCase:
    """A dense bleed of this volume where one of it has room: drawn again while the draw is one
    along falx or tentorium, in the cisterns, or of a kind that is always smaller.
    """
    while True:
        bleed = draw_hemorrhage(rng, subtype, side, (volume_ml, volume_ml))
        if bleed.place == "convexity" and math.isclose(bleed.volume_ml, volume_ml):
            return replace(bleed, hu=68.0, volume_ml=volume_ml)
