"""What a synthetic head is: a small frozen record. `monai_ich.synth.draw` draws it from one
seed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from monai_ich.core.labels import EXTRA_AXIAL, Subtype
from monai_ich.parts.pictures import Pictures

Point: TypeAlias = tuple[float, float, float]
SETTLED = 0.25  # IVH of less roughness has settled by gravity


@dataclass(frozen=True)
class SkullDefect:
    """What surgery left in the vault.

    Args:
        kind: ``"burr hole"``, ``"craniotomy"`` (a flap put back: a ring-shaped gap) or
            ``"craniectomy"`` (no bone).
        center_mm: MNI mm; where the ray from the head's center meets the skull.
        radius_mm: of the hole, the flap or the window.
        bulge_mm: how far the brain stands out through a craniectomy; negative where it is sunken.
        air_mm: depth of a pocket of air below the defect.
    """

    kind: str
    center_mm: tuple[float, float, float]
    radius_mm: float
    bulge_mm: float = 0.0
    air_mm: float = 0.0


@dataclass(frozen=True)
class Swelling:
    """A scalp hematoma: a mimic, since it is blood outside of the skull."""

    center_mm: tuple[float, float, float]
    radius_mm: float
    height_mm: float
    hu: float


@dataclass(frozen=True)
class AnatomyCase:
    """One head. Lengths in mm, angles in degrees, densities in HU.

    Args:
        base_streak_hu: how much darker the band between the petrous bones is (beam hardening).
        calcified: pineal gland and falx.
        choroid_mm: radius of the choroid plexus in the left and the right atrium; 0 where it is not
            seen.
        choroid_hu: its density: 45 to 60 where it is not calcified.
        vessel_hu: of basilar and middle cerebral arteries.
        fissure_mm: half the width of Sylvian fissures and basal cisterns, beside what the atlas
            has.
        drain: a ventricular catheter from the frontal bone; -1 left, +1 right, 0 none.
    """

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
    sinus_hu: float = 52.0
    dura_hu: float = 52.0
    dura_mm: float = 0.9
    base_streak_hu: float = 4.0
    calcified: bool = True
    choroid_mm: tuple[float, float] = (2.2, 2.2)
    choroid_hu: float = 170.0
    vessel_hu: float = 42.0
    fissure_mm: float = 1.2
    calcified_ganglia: bool = False
    holder: bool = False
    drain: int = 0
    infarct_mm: tuple[float, float, float, float] | None = None  # center and radius
    defect: SkullDefect | None = None
    swelling: Swelling | None = None


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
        edema_hu: how much darker than brain that rim is where it is darkest.
        roughness: how much noise shapes the outline.
        place: ``"falx"`` or ``"tentorium"`` for an SDH along one of these; ``"cisterns"`` for SAH
            that fills the basal cisterns, Sylvian fissures and what adjoins them in the shape of a
            star; ``"convexity"`` for all else.
        texture: standard deviation of the density inside, as a share of `hu` (old and fresh blood,
            swirls).
        level_hu: how much denser the lowest part is than the highest (cells settle; the head lies
            on its back).
    """

    subtype: Subtype
    volume_ml: float
    hu: float
    side: int
    center_mm: tuple[float, float, float]
    extent_mm: float
    roughness: float = 0.2
    place: str = "convexity"
    texture: float = 0.06
    level_hu: float = 0.0
    edema_hu: float = 11.0

    @property
    def on_skull(self) -> bool:
        """A clot between the skull's inner table and the brain, which it presses inward."""
        return self.subtype in EXTRA_AXIAL and self.place == "convexity"


@dataclass(frozen=True)
class ScannerCase:
    """How the head is scanned. Tilt is the gantry's; yaw, pitch, roll are the head's pose.

    Args:
        cup_hu: how much darker (or brighter, if negative) the middle of the head is than its rim.
        glow_hu: beam hardening: how much brighter a voxel would be if all around it in plane were
            bone. A real head was at 30: brain 5 mm from the skull is 6 HU brighter at the level of
            the ventricles, 10 HU near the vertex.
        glow_mm: how far bone is felt (standard deviation).
        tail_share: of each pixel, what the scanner's point spread puts into its long tails.
        tail_mm: how far these reach (standard deviation).
        motion_mm: how far the head moves during a few slices.
        metal_mm: a clip or coil with streaks, world mm.
        window_hu: the export clips to this range.
        pictures: or it goes through pictures of a window that nobody noted.
    """

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
    cup_hu: float = 0.0
    glow_hu: float = 30.0
    glow_mm: float = 9.0
    tail_share: float = 0.0
    tail_mm: float = 2.0
    motion_mm: float = 0.0
    metal_mm: tuple[float, float, float] | None = None
    window_hu: tuple[float, float] | None = None
    pictures: Pictures | None = None


@dataclass(frozen=True)
class HeadCase:
    """All of it; the same record gives the same head and the same scan, on CPU.

    Args:
        shift_mm: midline shift asked for, positive to the patient's right; the truth says what came
            out.
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
