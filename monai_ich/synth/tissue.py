"""From what is known at a point to Hounsfield units and to the share of each truth label there."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from monai_ich.core.labels import EXTRA_AXIAL, Anatomy, Subtype
from monai_ich.synth.atlas import falx_reaches, in_posterior_fossa, sample, segment_mm, tentorium_mm
from monai_ich.synth.case import HemorrhageCase, Point
from monai_ich.synth.fields import Fields, tangential_mm
from monai_ich.synth.head import Head
from monai_ich.synth.noise import BLOB, FACE, FINE, SKULL

AIR_HU = -1000.0
FORAMEN_MAGNUM_MM = -62.0
_ATLAS_MM = -68.0  # the highest vertebra
_VERTEBRA_MM = 17.0  # from one to the next, with its disc
_DISC_MM = 4.0
# skull base, MNI mm, mirrored: start, end, radius
_BASE_BONES = (
    ((15.0, -15.0, -34.0), (60.0, -36.0, -31.0), 6.5),  # petrous ridge
    ((6.0, 12.0, -20.0), (46.0, 22.0, -25.0), 3.0),  # sphenoid wing
    ((0.0, 1.0, -28.0), (0.0, -15.0, -64.0), 6.0),  # clivus
)
_ARTERIES = (
    ((0.0, -12.0, -40.0), (0.0, -10.0, -18.0), 1.5),  # basilar
    ((6.0, 2.0, -19.0), (32.0, 4.0, -15.0), 1.1),  # middle cerebral
)


@dataclass(frozen=True)
class Painted:
    """Fine-grained image and truth, tensors of the points' shape ``S``.

    Args:
        hu: ``(*S)``.
        blood: ``(5, *S)`` share of each `Subtype`, 0..1.
        edema: ``(*S)`` share of edema around clots.
        anatomy: ``(5, *S)`` share of each `Anatomy` part.
        bone: ``(*S)`` share of bone.
    """

    hu: torch.Tensor
    blood: torch.Tensor
    edema: torch.Tensor
    anatomy: torch.Tensor
    bone: torch.Tensor


def _soft(distance_mm: torch.Tensor, width_mm: float = 0.5) -> torch.Tensor:
    """1 where the distance is negative (inside), 0 outside, a ramp between."""
    return (0.5 - distance_mm / (2.0 * width_mm)).clamp(0, 1)


def _capsule_mm(
    x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, bone: tuple[Point, Point, float]
) -> torch.Tensor:
    start, end, radius = bone
    return segment_mm(x, y, z, start, end) - radius


def may_be_body(head: Head, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Where a point of the world (mm) is not air for sure: inside of the skin as drawn, with room
    for the warp.
    """
    a = head.case.anatomy
    hx, hy, hz = head.to_head(x, y, z)
    swollen = a.swelling.height_mm if a.swelling else 0.0
    bulge = max(0.0, a.defect.bulge_mm) if a.defect else 0.0
    skin_mm = a.csf_gap_mm + 1.6 * a.skull_mm + a.scalp_mm + swollen + bulge + 8.0
    near = sample(head.atlas.hull, hx, hy, hz)[0] * head.scale_mm < skin_mm
    face = (hx / 62) ** 2 + ((hy - 22) / 68) ** 2 + ((hz + 62) / 62) ** 2 < 1.6
    neck = ((hx / 58) ** 2 + ((hy + 32) / 58) ** 2 < 1.5) & (hz < -10)
    return near | face | neck | (a.holder & (_holder(hx, hy).abs() < 0.12) & (hy < 0))


def _holder(hx: torch.Tensor, hy: torch.Tensor) -> torch.Tensor:
    """0 on the shell of the head holder, negative inside."""
    return ((hx / 108) ** 2 + ((hy + 22) / 124) ** 2).sqrt() - 1.0


def _outside(head: Head, f: Fields) -> torch.Tensor:
    """Air, scalp, face and neck."""
    a = head.case.anatomy
    open_ = _no_bone(head, f)
    skin = f.depth + a.skull_mm * (1.0 + 0.25 * f.noise[SKULL]) * (1.0 - open_) + a.scalp_mm
    swollen = torch.zeros_like(skin)
    if a.swelling and head.swelling_site:
        away = tangential_mm(head.swelling_site, f.hx, f.hy, f.hz) / a.swelling.radius_mm
        swollen = a.swelling.height_mm * (1.0 - away**2).clamp_min(0)
        skin = skin + swollen
    face = 1.0 - ((f.hx / 62) ** 2 + ((f.hy - 22) / 68) ** 2 + ((f.hz + 62) / 62) ** 2)
    neck = 1.0 - ((f.hx / 58) ** 2 + ((f.hy + 32) / 58) ** 2) - (f.hz + 35).clamp_min(0) / 10
    body = torch.maximum(skin, torch.maximum(face, neck) * 30.0)
    fat = ((f.noise[FACE] > -0.8) | (f.hz > -20)).float()
    hu = 48.0 - 130.0 * fat + 8.0 * f.noise[FINE]
    temporal = (f.hx.abs() > 45) & (f.hz < 25) & (f.hz > -45) & (f.hy > -30)
    hu = torch.where(
        (body < 3.0) | (temporal & (body > 4.0)), 45.0 + 8.0 * f.noise[FINE], hu
    )  # skin, temporal muscle
    if a.swelling:
        hu = torch.where(
            (swollen > 1.0) & (body > 1.5) & (f.hz > -20), a.swelling.hu + 10.0 * f.noise[FINE], hu
        )
    low = (f.hz < -22.0) & (skin < a.scalp_mm + 25.0)
    mouth = low & (f.hy > -5) & (f.hx.abs() < 45)
    bones = low & (f.noise[FACE] > 1.0)
    hu = torch.where(bones, 500.0 + 200.0 * f.noise[BLOB], hu)
    hu = torch.where(mouth & (f.noise[BLOB] < -0.6), AIR_HU, hu)
    below = f.hz < FORAMEN_MAGNUM_MM
    hu = torch.where(below & (neck * 58.0 > 6.0), 52.0 + 8.0 * f.noise[FINE], hu)  # muscle
    airway = (f.hx / 11) ** 2 + ((f.hy - 12) / 8) ** 2 < 1.0 + 0.4 * f.noise[BLOB]
    hu = torch.where(below & airway, AIR_HU, hu)
    orbit = ((f.hx.abs() - 32) ** 2 + (f.hy - 58) ** 2 + (f.hz + 36) ** 2).sqrt()
    hu = torch.where(orbit < 19.0, -80.0, hu)
    hu = torch.where(orbit < 12.0, 12.0, hu)
    hu = AIR_HU + (hu - AIR_HU) * _soft(-body, 0.8)
    if a.holder:
        hu = torch.where(
            (_holder(f.hx, f.hy).abs() < 0.012) & (f.hy < -10) & (body < -2), 180.0, hu
        )
    return hu


def _canal_mm(f: Fields) -> torch.Tensor:
    """Distance from the axis of the foramen magnum and the spinal canal."""
    return (f.hx**2 + ((f.hy + 38) / 1.2) ** 2).sqrt()


def _vertebrae(f: Fields) -> torch.Tensor:
    """Share of the bone of the cervical spine: bodies, arches around the canal and spinous
    processes, with a disc between each two.
    """
    canal = _canal_mm(f)
    arch = torch.maximum(13.0 - canal, canal - 18.5)
    front = 11.0 * (((f.hx / 14.0) ** 2 + ((f.hy + 12.0) / 9.0) ** 2).sqrt() - 1.0)
    spine = torch.maximum(f.hx.abs() - 3.0, (f.hy + 66.0).abs() - 12.0)
    bone = torch.minimum(arch, torch.minimum(front, spine)) + 0.8 * f.noise[BLOB]
    within = (_ATLAS_MM - f.hz) % _VERTEBRA_MM
    disc = within > _VERTEBRA_MM - _DISC_MM
    return _soft(torch.maximum(bone, 13.0 - canal)) * (f.hz < _ATLAS_MM) * ~disc


def _no_bone(head: Head, f: Fields) -> torch.Tensor:
    """Share of the vault that surgery took away, 0..1."""
    defect = head.case.anatomy.defect
    if defect is None:
        return torch.zeros_like(f.depth)
    if defect.kind == "craniotomy":
        return _soft((f.defect_mm - defect.radius_mm).abs() - 1.2)
    return _soft(f.defect_mm - defect.radius_mm)


def base_mm(f: Fields) -> torch.Tensor:
    """Distance from the bones of the skull base that rise into the dura's hull, negative inside of
    them.
    """
    return (
        torch.stack([_capsule_mm(f.hx.abs(), f.hy, f.hz, b) for b in _BASE_BONES]).amin(0)
        - 1.2 * f.noise[BLOB]
    )


def _skull(head: Head, f: Fields) -> tuple[torch.Tensor, torch.Tensor]:
    """Share and density of bone: vault with two tables, thick base, canal left open."""
    a = head.case.anatomy
    thickness = a.skull_mm * (1.0 + 0.25 * f.noise[SKULL]).clamp_min(0.4)
    canal = _canal_mm(f) - 13.0
    vault = _soft(f.depth, 0.5) * _soft(-(f.depth + thickness), 0.5)
    vault = vault * (1.0 - _soft(canal) * (f.hz < -50)) * (1.0 - _no_bone(head, f))
    share = torch.maximum(torch.maximum(vault, _soft(base_mm(f))), _vertebrae(f))
    middle = 1.0 - ((-f.depth / thickness - 0.5).abs() / 0.3).clamp(0, 1)
    hu = a.bone_hu * (1.0 - 0.55 * middle + 0.08 * f.noise[FINE])
    cells = (
        (f.hz < -25) & (f.hz > -60) & (f.hx.abs() > 38) & (f.noise[FINE] > 0.2)
    )  # mastoid air cells
    return share, torch.where(cells, -700.0, hu)


def _brain(head: Head, f: Fields, ventricles: torch.Tensor, csf: torch.Tensor) -> torch.Tensor:
    """Gray and white matter, fluid, dura, sinuses and calcifications."""
    a = head.case.anatomy
    gray, white = f.tissue[0], f.tissue[1]
    share = white / (gray + white).clamp_min(0.05)
    hu = a.gray_hu - a.white_drop_hu * share + 1.2 * f.noise[FINE] + 1.0 * f.noise[SKULL]
    if a.white_lesion_hu:
        near = (1.0 - (f.tissue[2] - a.ventricle_growth_mm).abs() / 12.0).clamp(0, 1)
        hu = hu - a.white_lesion_hu * near * share
    if a.infarct_mm:
        x, y, z, radius = a.infarct_mm
        distance = ((f.bx - x) ** 2 + (f.by - y) ** 2 + (f.bz - z) ** 2).sqrt() * (
            1.0 + 0.25 * f.noise[BLOB]
        )
        hu = hu + (a.csf_hu + 8.0 - hu) * 0.8 * _soft(distance - radius, 2.0) * (f.bx * x > 0)
    hu = hu + (a.csf_hu - hu) * torch.maximum(csf, _soft(ventricles))
    dura = _soft(f.bx.abs() - a.dura_mm) * falx_reaches(f.by, f.bz)
    tent = (
        _soft((f.bz - tentorium_mm(f.bx, f.by)).abs() - 0.9 * a.dura_mm)
        * (f.by < -38)
        * (f.bx.abs() > 6)
    )
    sinus = _soft(f.hx.abs() - 3.5) * _soft(f.depth - 6.0) * ((f.hz > 15) | (f.hy < -75))
    transverse = (
        _soft((f.hz - tentorium_mm(f.hx, f.hy)).abs() - 4.0) * _soft(f.depth - 7.0) * (f.hy < -55)
    )
    hu = hu + (a.dura_hu - hu) * torch.maximum(0.8 * dura, 0.7 * tent)
    hu = hu + (a.sinus_hu - hu) * torch.maximum(0.9 * sinus, 0.8 * transverse)
    band = torch.exp(-(((f.hz + 33) / 7) ** 2) - ((f.hy + 22) / 8) ** 2) * (
        1.0 + 0.4 * f.noise[BLOB]
    )
    hu = hu - a.base_streak_hu * band
    if a.calcified:
        pineal = (f.bx**2 + (f.by + 28) ** 2 + (f.bz - 2) ** 2).sqrt() - 2.5
        falx = ((f.bx / 1.4) ** 2 + (f.by - 45) ** 2 / 9 + (f.bz - 40) ** 2 / 16).sqrt() - 1.0
        hu = hu + (170.0 - hu) * _soft(torch.minimum(pineal, falx + 0.6 * f.noise[BLOB]))
    choroid = (
        (f.bx.abs() - 23) ** 2 + ((f.by + 43) / 1.4) ** 2 + (f.bz - 9) ** 2
    ).sqrt() + 0.7 * f.noise[BLOB]
    choroid = choroid - torch.where(f.bx < 0, *a.choroid_mm)
    hu = hu + (a.choroid_hu - hu) * _soft(choroid)
    arteries = torch.minimum(*(_capsule_mm(f.bx.abs(), f.by, f.bz, artery) for artery in _ARTERIES))
    hu = hu + (a.vessel_hu - hu) * _soft(arteries)
    if a.calcified_ganglia:
        pallidum = (
            ((f.bx.abs() - 19) / 4) ** 2 + ((f.by + 2) / 7) ** 2 + (f.bz / 5) ** 2
        ).sqrt() - 1.0
        hu = hu + (110.0 - hu) * _soft(4.0 * pallidum + 2.0 * f.noise[FINE], 2.0)
    if a.defect and a.defect.air_mm:
        pocket = (
            (f.depth < a.defect.air_mm + 2.0 * f.noise[BLOB])
            & (f.defect_mm < a.defect.radius_mm)
            & (f.hy > 10)
        )
        hu = torch.where(pocket, AIR_HU, hu)
    if a.drain:
        path = ((a.drain * 30.0, 45.0, 75.0), (a.drain * 5.0, 8.0, 8.0), 1.3)
        hu = hu + (260.0 - hu) * _soft(_capsule_mm(f.bx, f.by, f.bz, path))
    return hu


def _clot_hu(head: Head, bleed: HemorrhageCase, f: Fields) -> torch.Tensor:
    """Density inside a clot: old and fresh parts, and cells that settled toward the back of the
    head.
    """
    hu = bleed.hu * (1.0 + bleed.texture * (0.5 * f.noise[FINE] + 0.8 * f.noise[BLOB]))
    if bleed.level_hu:
        middle = head.height_mm(*(torch.tensor(c) for c in bleed.center_mm)).to(hu.device)
        hu = hu - 0.5 * bleed.level_hu * torch.tanh(
            (head.height_mm(f.hx, f.hy, f.hz) - middle) / 2.0
        )
    return hu


def paint(head: Head, f: Fields) -> Painted:
    """Paint points from outside to inside; each layer covers the one before by its share."""
    ventricles, csf = head.ventricles(f), head.csf(f)
    bone, bone_hu = _skull(head, f)
    above = f.hz > FORAMEN_MAGNUM_MM
    inside = _soft(-f.depth) * above
    cavity = (inside * (1.0 - bone)).clamp(0, 1)
    canal = _soft(_canal_mm(f) - 11.0) * ~above
    a = head.case.anatomy
    cord_hu = a.csf_hu + (a.gray_hu - a.csf_hu) * _soft(_canal_mm(f) - 6.0, 1.0)
    brain = torch.where(f.hz > _ATLAS_MM, _brain(head, f, ventricles, csf), cord_hu)
    hu = _outside(head, f)
    hu = hu + (brain - hu) * torch.maximum(inside, canal)
    blood = torch.zeros(len(Subtype), *f.depth.shape, device=f.depth.device)
    edema = torch.zeros_like(f.depth)
    for bleed, size, score in zip(head.case.hemorrhages, head.sizes, head.scores(f), strict=True):
        if size == 0.0:
            continue
        step = 0.6 if bleed.subtype in EXTRA_AXIAL else 0.9
        share = ((size - score) / step + 0.5).clamp(0, 1) * cavity
        if bleed.subtype is Subtype.SAH:
            share = share * (1.3 * csf).clamp(0, 1)
        if (
            bleed.subtype is Subtype.IPH and bleed.extent_mm > 0.5
        ):  # edema around the clot, further along white matter
            reach = bleed.extent_mm * (0.6 + 0.5 * f.tissue[1] + 0.15 * f.noise[BLOB]).clamp_min(
                0.2
            )
            wet = (
                _soft(score - size - reach, 1.0)
                * torch.isfinite(score)
                * (1.0 - csf)
                * cavity
                * (score > size)
            )
            hu = hu - bleed.edema_hu * wet * (1.15 - 0.3 * ((score - size) / reach).clamp(0, 1))
            edema = torch.maximum(edema, wet)
        hu = hu + (_clot_hu(head, bleed, f) - hu) * share
        blood[bleed.subtype - 1] = torch.maximum(blood[bleed.subtype - 1], share)
    hu = hu + (bone_hu - hu) * bone
    return Painted(
        hu, blood, edema * (1.0 - blood.sum(0)).clamp_min(0), _anatomy(f, ventricles, cavity), bone
    )


def _anatomy(f: Fields, ventricles: torch.Tensor, cavity: torch.Tensor) -> torch.Tensor:
    below = in_posterior_fossa(f.bx, f.by, f.bz)
    left, ventricle = f.bx < 0, (ventricles < 0) & ~below
    parts = {
        Anatomy.LEFT_HEMISPHERE: left & ~ventricle & ~below,
        Anatomy.RIGHT_HEMISPHERE: ~left & ~ventricle & ~below,
        Anatomy.LEFT_VENTRICLE: left & ventricle,
        Anatomy.RIGHT_VENTRICLE: ~left & ventricle,
        Anatomy.POSTERIOR_FOSSA: below,
    }
    return torch.stack([parts[part] * cavity for part in Anatomy])
