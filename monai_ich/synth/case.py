"""What a synthetic head is: a small frozen record, drawn from one seed.

Every range stands here, once. Sources: the project's synthesis rules (published ranges of tissue HU, clot density
by age, volumes and scanner settings of emergency head CT).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from monai_ich.core.labels import Subtype


@dataclass(frozen=True)
class AnatomyCase:
    """One head. Lengths in mm, angles in degrees, densities in HU."""

    scale: tuple[float, float, float] = (0.91, 0.91, 0.91)
    warp_mm: float = 2.5
    sulcus_threshold: float = 0.5
    fold_width: float = 0.12
    ventricle_growth_mm: float = 1.0
    csf_gap_mm: float = 2.0
    skull_mm: float = 6.0
    scalp_mm: float = 6.0
    gray_hu: float = 38.0
    white_drop_hu: float = 6.0
    csf_hu: float = 8.0
    bone_hu: float = 1200.0
    white_lesion_hu: float = 0.0
    calcified: bool = True
    holder: bool = False
    infarct_mm: tuple[float, float, float, float] | None = None  # center and radius


@dataclass(frozen=True)
class HemorrhageCase:
    """One bleed.

    Args:
        subtype: which.
        volume_ml: asked for; what the head has room for is in the truth.
        hu: mean density of the clot.
        side: -1 left, +1 right.
        center_mm: MNI mm; where the bleed starts (IPH, SAH) or is thickest (EDH, SDH).
        extent_mm: how far an extra-axial clot or SAH reaches from its center; rim of edema for IPH.
        roughness: how much noise shapes the outline.
    """

    subtype: Subtype
    volume_ml: float
    hu: float
    side: int
    center_mm: tuple[float, float, float]
    extent_mm: float
    roughness: float = 0.2


@dataclass(frozen=True)
class ScannerCase:
    """How the head is scanned. Tilt is the gantry's; yaw, pitch, roll are the head's pose."""

    pixels: int = 160
    pixel_mm: float = 1.4
    slice_mm: float = 5.0
    thickness_mm: float = 5.0
    tilt_deg: float = 0.0
    rotation_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    offset_mm: tuple[float, float] = (0.0, 0.0)
    bottom_mm: float = -62.0
    top_mm: float = 92.0
    noise_hu: float = 4.0
    noise_blur_mm: float = 0.6
    blur_mm: float = 0.5
    sharpen: float = 0.0
    gain: float = 1.0
    offset_hu: float = 0.0


@dataclass(frozen=True)
class HeadCase:
    """All of it; the same record gives the same head and the same scan, on CPU.

    Args:
        shift_mm: midline shift asked for, positive to the patient's right; the truth says what came out.
    """

    seed: int
    anatomy: AnatomyCase = field(default_factory=AnatomyCase)
    hemorrhages: tuple[HemorrhageCase, ...] = ()
    shift_mm: float = 0.0
    scanner: ScannerCase = field(default_factory=ScannerCase)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        record = asdict(self)
        for bleed in record["hemorrhages"]:
            bleed["subtype"] = bleed["subtype"].name
        return record


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
_SAH_SITES = ((4, -8, -18), (42, 8, -4), (8, 40, 25), (45, -25, 35), (48, 20, 18), (25, -35, 60), (12, -40, -8))
_MAX_ML = {Subtype.EDH: 90.0, Subtype.IPH: 90.0, Subtype.IVH: 40.0, Subtype.SAH: 40.0, Subtype.SDH: 120.0}
_SHARE = {Subtype.EDH: 0.18, Subtype.IPH: 0.27, Subtype.IVH: 0.17, Subtype.SAH: 0.17, Subtype.SDH: 0.21}
NO_BLEED_SHARE = 0.3


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def draw_anatomy(rng: np.random.Generator) -> AnatomyCase:
    """A head at random: size and shape, age (atrophy widens sulci, ventricles and the outer gap together)."""
    size = rng.normal(0.915, 0.035)
    age = rng.beta(1.3, 1.6)
    shape = rng.normal(1.0, [0.035, 0.035, 0.03])
    infarct = (float(rng.choice([-1, 1]) * rng.uniform(25, 55)), rng.uniform(-75, 40), rng.uniform(-5, 45))
    return AnatomyCase(
        scale=tuple(float(v) for v in np.clip(size * shape, 0.8, 1.04)),  # type: ignore[arg-type]
        warp_mm=rng.uniform(1.0, 3.8),
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
        calcified=bool(rng.random() < 0.7),
        holder=bool(rng.random() < 0.5),
        infarct_mm=(*infarct, rng.uniform(8, 28)) if rng.random() < 0.2 else None,
    )


def draw_hemorrhage(rng: np.random.Generator, subtype: Subtype, side: int | None = None) -> HemorrhageCase:
    """A bleed of one subtype at random: where, how large, how dense."""
    side = side or int(rng.choice([-1, 1]))
    volume_ml = _log_uniform(rng, 0.4, _MAX_ML[subtype])
    hu = rng.uniform(52.0, 82.0)
    extent_mm, roughness = 0.0, rng.uniform(0.1, 0.4)
    if subtype is Subtype.IPH:
        sites, weights = zip(*_IPH_SITES, strict=True)
        site = np.asarray(sites[rng.choice(len(sites), p=weights)], float)
        extent_mm = rng.uniform(0.0, 9.0)
    elif subtype is Subtype.SAH:
        site = np.asarray(_SAH_SITES[rng.integers(len(_SAH_SITES))], float)
        extent_mm = rng.uniform(15.0, 60.0)
        hu = rng.uniform(48.0, 72.0)
    elif subtype is Subtype.IVH:
        site = np.array([12.0, -10.0, 12.0])
        extent_mm = rng.uniform(10.0, 70.0)
    else:  # on the convexity: a direction from the center of the head
        azimuth, elevation = (
            rng.uniform(-55, 60) if subtype is Subtype.SDH else rng.uniform(-50, 55),
            rng.uniform(0, 50),
        )
        a, e = math.radians(azimuth), math.radians(elevation)
        site = np.array([70 * math.cos(a) * math.cos(e), -18 + 88 * math.sin(a) * math.cos(e), 10 + 75 * math.sin(e)])
        if subtype is Subtype.SDH:
            extent_mm = float(np.clip(30.0 + 8.5 * volume_ml**0.42, 32.0, 95.0)) * rng.uniform(0.85, 1.3)
            if rng.random() < 0.25:  # subacute and chronic
                hu = rng.uniform(18.0, 45.0)
        else:
            extent_mm = float(np.clip(16.0 + 3.2 * volume_ml**0.6, 18.0, 50.0)) * rng.uniform(0.85, 1.2)
    jitter = rng.normal(0, 5.0, 3) if subtype in (Subtype.IPH, Subtype.SAH) else np.zeros(3)
    x, y, z = site * [side, 1, 1] + jitter
    return HemorrhageCase(subtype, volume_ml, float(hu), side, (float(x), float(y), float(z)), extent_mm, roughness)


def _draw_hemorrhages(rng: np.random.Generator) -> tuple[HemorrhageCase, ...]:
    if rng.random() < NO_BLEED_SHARE:
        return ()
    kinds = list(Subtype)
    weights = np.array([_SHARE[k] for k in kinds])
    count = 1 + int(rng.random() < 0.45) + int(rng.random() < 0.2)
    chosen = rng.choice(len(kinds), size=count, replace=False, p=weights)
    bleeds = [draw_hemorrhage(rng, kinds[i]) for i in chosen]
    return tuple(sorted(bleeds, key=lambda b: b.subtype))


def natural_shift_mm(rng: np.random.Generator, bleeds: tuple[HemorrhageCase, ...]) -> float:
    """A shift that fits the bleeds, away from them, but varied enough that neither predicts the other."""
    mass = sum(-b.side * b.volume_ml for b in bleeds if b.subtype in (Subtype.EDH, Subtype.IPH, Subtype.SDH))
    shift = mass * rng.uniform(0.0, 0.2)
    if rng.random() < 0.15:  # edema or tumor without visible blood
        shift += rng.choice([-1, 1]) * rng.uniform(2.0, 14.0)
    return float(np.clip(shift, -17.0, 17.0))


def draw_scanner(rng: np.random.Generator) -> ScannerCase:
    """An emergency head scan at random."""
    thin = rng.random() < 0.35
    slice_mm = float(rng.uniform(0.8, 2.5) if thin else rng.uniform(2.5, 7.0))
    tilt = float(rng.uniform(-25, 25) if rng.random() < 0.5 else 0.0)
    spread = 9.0 if rng.random() < 0.8 else 16.0
    return ScannerCase(
        pixel_mm=float(rng.uniform(1.25, 1.65)),
        slice_mm=slice_mm,
        thickness_mm=slice_mm * float(rng.choice([1.0, 1.0, rng.uniform(0.7, 1.3)])),
        tilt_deg=tilt,
        rotation_deg=tuple(float(v) for v in np.clip(rng.normal(0, spread, 3), -25, 25)),  # type: ignore[arg-type]
        offset_mm=(float(rng.normal(0, 8)), float(rng.normal(0, 8))),
        bottom_mm=float(rng.uniform(-75, -52) if rng.random() < 0.85 else rng.uniform(-52, -25)),
        top_mm=float(rng.uniform(80, 105) if rng.random() < 0.9 else rng.uniform(60, 80)),
        noise_hu=float(rng.uniform(1.5, 7.0)) * (1.5 if thin else 1.0),
        noise_blur_mm=float(rng.uniform(0.4, 1.2)),
        blur_mm=float(rng.uniform(0.3, 0.75)),
        sharpen=float(rng.uniform(0, 0.8) if rng.random() < 0.3 else 0.0),
        gain=float(rng.normal(1.0, 0.02)),
        offset_hu=float(rng.normal(0, 2.0)),
    )


def draw_case(seed: int) -> HeadCase:
    """A whole case at random."""
    rng = np.random.default_rng(seed)
    bleeds = _draw_hemorrhages(rng)
    return HeadCase(seed, draw_anatomy(rng), bleeds, natural_shift_mm(rng, bleeds), draw_scanner(rng))


def with_hemorrhages(case: HeadCase, wanted: dict[Subtype, float], *, side: int | None = None) -> HeadCase:
    """The same head and scan with the given bleeds (subtype to mL) instead of its own."""
    rng = np.random.default_rng([case.seed, 1])
    bleeds = tuple(
        replace(draw_hemorrhage(rng, kind, side), volume_ml=ml, hu=68.0) for kind, ml in sorted(wanted.items())
    )
    return replace(case, hemorrhages=bleeds, shift_mm=natural_shift_mm(rng, bleeds))
