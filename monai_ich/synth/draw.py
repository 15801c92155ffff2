"""Synthetic heads at random: every range stands here, once.

Sources: the project's synthesis rules (published ranges of tissue HU, clot density by age, volumes
and scanner settings of emergency head CT).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from monai_ich.core.labels import Subtype
from monai_ich.parts.pictures import draw_pictures
from monai_ich.synth.case import (
    AnatomyCase,
    HeadCase,
    HemorrhageCase,
    ScannerCase,
    SkullDefect,
    Swelling,
)
from monai_ich.synth.draw_bleeds import (
    draw_hemorrhage,
    draw_hemorrhages,
    on_vault,
    point_of,
    to_side,
)

_WINDOWS_HU = (
    (0.0, 80.0),
    (0.0, 80.0),
    (-20.0, 100.0),
    (-5.0, 85.0),
    (-50.0, 150.0),
)  # of 8-bit exports
_PIXELS, _PIXELS_SHARE = (160, 208, 256), (0.3, 0.35, 0.35)  # rows and columns: 1.4, 1.1 and 0.9 mm


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
        scale=point_of(np.clip(size * shape, 0.8, 1.04)),
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
    center = to_side(on_vault(rng, (-40, 60), (10, 55)), int(rng.choice([-1, 1])))
    radius_mm = {"burr hole": (4.0, 8.0), "craniotomy": (18.0, 45.0), "craniectomy": (30.0, 60.0)}[
        kind
    ]
    bulge_mm = rng.uniform(-6.0, 12.0) if kind == "craniectomy" else 0.0
    return SkullDefect(
        kind, center, rng.uniform(*radius_mm), bulge_mm, float(rng.choice([0.0, rng.uniform(3, 9)]))
    )


def draw_swelling(rng: np.random.Generator) -> Swelling:
    """A scalp hematoma."""
    center = to_side(on_vault(rng, (-75, 80), (-5, 70)), int(rng.choice([-1, 1])))
    return Swelling(
        center, rng.uniform(15.0, 55.0), rng.uniform(3.0, 14.0), rng.uniform(38.0, 75.0)
    )


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
    scanner = ScannerCase(
        pixels=pixels,
        pixel_mm=float(rng.uniform(200.0, 264.0)) / pixels,
        slice_mm=slice_mm,
        thickness_mm=slice_mm * float(rng.choice([1.0, 1.0, rng.uniform(0.7, 1.3)])),
        tilt_deg=tilt,
        rotation_deg=point_of(np.clip(rng.normal(0, spread, 3), -25, 25)),
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
        metal_mm=point_of(rng.normal([0, -5, 10], [35, 45, 30])) if rng.random() < 0.05 else None,
        window_hu=_WINDOWS_HU[rng.integers(len(_WINDOWS_HU))] if export < 0.08 else None,
        pictures=draw_pictures(rng) if 0.08 <= export < 0.28 else None,
        glow_hu=float(rng.uniform(0.0, 60.0)),
        glow_mm=float(rng.uniform(5.0, 14.0)),
        tail_share=float(rng.uniform(0.0, 0.16)),
        tail_mm=float(rng.uniform(1.0, 3.0)),
    )
    if rng.random() < 0.1:  # drawn last, so that other heads stay as they were
        return replace(scanner, bottom_mm=float(rng.uniform(-165.0, -80.0)))
    return scanner


def draw_case(seed: int) -> HeadCase:
    """A whole case at random."""
    rng = np.random.default_rng(seed)
    bleeds = draw_hemorrhages(rng)
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
