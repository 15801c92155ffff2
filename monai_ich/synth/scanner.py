"""The scanner: a grid of slices (tilted or not), each the average over its thickness, blurred and
noisy.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from monai_ich.core.geometry import Geometry
from monai_ich.parts.blurring import gauss_matrix
from monai_ich.parts.pictures import through_pictures
from monai_ich.synth.case import ScannerCase

_FINE_MM = 2.5  # a slice thicker than this is averaged from several fine planes


def scan_geometry(s: ScannerCase) -> Geometry:
    """The grid of the series: in-plane axes to left and posterior as a scanner writes them, slices
    from low to high.

    The gantry tilts the planes about the left-right axis while the table moves along z, so the grid
    is sheared.
    """
    tilt = math.radians(s.tilt_deg)
    step = s.slice_mm / math.cos(tilt)  # table travel that gives slice_mm between planes
    count = max(8, round((s.top_mm - s.bottom_mm) / step))
    affine = np.eye(4)
    affine[:3, 0] = [-s.pixel_mm, 0.0, 0.0]
    affine[:3, 1] = [0.0, -s.pixel_mm * math.cos(tilt), -s.pixel_mm * math.sin(tilt)]
    affine[:3, 2] = [0.0, 0.0, step]
    middle = np.array([(s.pixels - 1) / 2, (s.pixels - 1) / 2, 0.0])
    center = np.array([s.offset_mm[0], -16.0 + s.offset_mm[1], s.bottom_mm])
    affine[:3, 3] = center - affine[:3, :3] @ middle
    return Geometry((s.pixels, s.pixels, count), affine)


def fine_offsets_mm(s: ScannerCase) -> list[float]:
    """Where, along the slice normal, the fine planes of one slice lie."""
    count = max(1, math.ceil(s.thickness_mm / _FINE_MM))
    return [s.thickness_mm * ((i + 0.5) / count - 0.5) for i in range(count)]


def plane_points(
    geometry: Geometry, k: int, offset_mm: float, device: torch.device
) -> tuple[torch.Tensor, ...]:
    """World points ``3 x (I, J)`` of slice ``k`` moved along its normal."""
    ai, aj, ak = geometry.affine[:3, :3].T
    normal = np.cross(ai, aj)
    normal *= np.sign(normal @ ak) / np.linalg.norm(normal)
    origin = geometry.affine[:3, 3] + k * ak + offset_mm * normal
    i = torch.arange(geometry.shape[0], device=device, dtype=torch.float32)[:, None]
    j = torch.arange(geometry.shape[1], device=device, dtype=torch.float32)[None, :]
    return tuple(float(origin[d]) + float(ai[d]) * i + float(aj[d]) * j for d in range(3))


def blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """In-plane blur of ``(I, J, K)``; sigma in pixels. A wide one is done at half the
    resolution.
    """
    if sigma < 0.15:
        return image
    if sigma > 4.0:
        slices = F.avg_pool2d(
            image.permute(2, 0, 1)[None], 2, ceil_mode=True, count_include_pad=False
        )
        half = blur(slices[0].permute(1, 2, 0), sigma / 2.0).permute(2, 0, 1)[None]
        return F.interpolate(half, size=image.shape[:2], mode="bilinear")[0].permute(1, 2, 0)
    image = torch.tensordot(gauss_matrix(image.shape[0], sigma).to(image), image, 1)
    return torch.matmul(gauss_matrix(image.shape[1], sigma).to(image), image)


def expose(
    hu: torch.Tensor, s: ScannerCase, geometry: Geometry, generator: torch.Generator
) -> torch.Tensor:
    """What the scanner makes of exact HU ``(I, J, K)`` on its grid: blur, kernel, beam hardening,
    motion, metal, cupping, correlated noise, and the window or the pictures of the export."""
    pixel_mm = geometry.spacing_mm[0]
    image = blur(hu, s.blur_mm / pixel_mm)
    if s.tail_share:
        image = torch.lerp(image, blur(image, s.tail_mm / pixel_mm), s.tail_share)
    if s.sharpen:
        image = image + s.sharpen * (image - blur(image, 1.2 / pixel_mm))
    dense = blur((hu > 300).float(), s.glow_mm / pixel_mm)
    image = image * s.gain + s.offset_hu + s.glow_hu * dense * (image > -200)
    if s.cup_hu:
        image = image + s.cup_hu * _bowl(hu) * (image > -200)
    if s.motion_mm:
        image = _moved(image, s.motion_mm / pixel_mm, generator)
    if s.metal_mm:
        image = image + _metal_hu(s.metal_mm, geometry, hu.device)
    noise = torch.randn(hu.shape, generator=generator).to(hu.device)
    noise = blur(noise, s.noise_blur_mm / pixel_mm)
    noise = noise / noise.std().clamp_min(1e-6)
    body = 0.35 + 0.65 * blur((hu > -200).float(), 6.0 / pixel_mm)
    image = (image + s.noise_hu * body * noise).clamp(-1024.0, 3071.0)
    if s.window_hu:
        image = image.clamp(*s.window_hu)
    return through_pictures(image, s.pictures) if s.pictures else image


def _bowl(hu: torch.Tensor) -> torch.Tensor:
    """-1 in the middle of the image to +1 at its edge, in plane."""
    i = torch.linspace(-1.4, 1.4, hu.shape[0], device=hu.device)[:, None, None]
    j = torch.linspace(-1.4, 1.4, hu.shape[1], device=hu.device)[None, :, None]
    return (2.0 * (i * i + j * j) - 1.0).clamp(max=1.0)


def _moved(image: torch.Tensor, pixels: float, generator: torch.Generator) -> torch.Tensor:
    """A few slices hold the head twice, a little apart: it moved while they were taken."""
    count = image.shape[2]
    first = int(torch.randint(0, count, (1,), generator=generator))
    angle = 2.0 * math.pi * float(torch.rand(1, generator=generator))
    step = (round(pixels * math.cos(angle)), round(pixels * math.sin(angle)))
    run = slice(first, min(count, first + max(2, count // 8)))
    out = image.clone()
    out[:, :, run] = 0.65 * image[:, :, run] + 0.35 * torch.roll(image[:, :, run], step, (0, 1))
    return out


def _metal_hu(
    where_mm: tuple[float, float, float], geometry: Geometry, device: torch.device
) -> torch.Tensor:
    """A clip of 4 mm and the bright and dark streaks that start from it, added to the image."""
    i, j, k = (float(v) for v in geometry.to_voxel(where_mm))
    rows, columns, slices = geometry.shape
    x = (torch.arange(rows, device=device) - i)[:, None, None] * geometry.spacing_mm[0]
    y = (torch.arange(columns, device=device) - j)[None, :, None] * geometry.spacing_mm[1]
    near = torch.exp(
        -0.5 * ((torch.arange(slices, device=device) - k) * geometry.spacing_mm[2] / 3.0) ** 2
    )
    radius, angle = torch.sqrt(x * x + y * y), torch.atan2(y, x)
    streaks = (
        120.0 * torch.cos(9.0 * angle + 3.0 * torch.sin(2.0 * angle)) * torch.exp(-radius / 25.0)
    )
    return (streaks + 3000.0 * (radius < 2.0)) * near
