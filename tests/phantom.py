"""A chiral head defined in the world, and DICOM series of it in any geometry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pydicom

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume
from monai_ich.dicom.write import write_ct_series

# center RAS mm, radius mm, HU: a bright ball front right, a dark one back left, a small bright one
# front left, below
BALLS = (((22, 24, -4), 18, 75.0), ((-24, -20, 14), 15, 5.0), ((-22, 30, -18), 6, 75.0))
BRAIN_HU = 35.0
_EDGE_MM = 2.0
_SKULL_MM = (70, 85, 90)


def density(ras: np.ndarray, *, balls: tuple = BALLS) -> np.ndarray:
    """HU of the phantom at RAS mm ``(..., 3)``: brain, skull, and the balls."""
    x, y, z = np.moveaxis(np.asarray(ras, float), -1, 0)
    radius = np.sqrt(
        sum((along / half) ** 2 for along, half in zip((x, y, z), _SKULL_MM, strict=True))
    )
    hu = np.full(x.shape, BRAIN_HU)
    for center, size, value in balls:
        distance = np.sqrt((x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2)
        hu += (value - BRAIN_HU) / (1 + np.exp((distance - size) / _EDGE_MM))
    hu += 765 / (1 + np.exp((0.9 - radius) * 30))
    return hu + (-1000 - hu) / (1 + np.exp((1.05 - radius) * 30))


def ball_volumes_ml(ct: CTVolume) -> list[float]:
    """Volume of each ball within the brain, mL: what it adds to the brain's HU, over its
    contrast.
    """
    ras = ct.geometry.to_world(np.moveaxis(np.indices(ct.geometry.shape), 0, -1))
    brain = np.linalg.norm(ras / _SKULL_MM, axis=-1) < 0.75
    volumes = []
    for ball in BALLS:
        center, size, value = ball
        near = brain & (np.linalg.norm(ras - center, axis=-1) < size + 8 * _EDGE_MM)
        without = density(ras[near], balls=tuple(other for other in BALLS if other is not ball))
        share = float((ct.hu[near] - without).sum()) / (value - BRAIN_HU)
        volumes.append(share * ct.geometry.voxel_ml)
    return volumes


@cache
def true_volumes_ml() -> list[float]:
    """`ball_volumes_ml` on a fine grid. A whole ball of radius a and edge s holds 4/3 pi (a^3 +
    pi^2 a s^2).
    """
    return ball_volumes_ml(phantom(grid(pixels=100, pixel_mm=1.6, slice_mm=1.6, count=100)))


def phantom(geometry: Geometry) -> CTVolume:
    ijk = np.moveaxis(np.indices(geometry.shape), 0, -1)
    return CTVolume(np.rint(density(geometry.to_world(ijk))).astype(np.float32), geometry)


def grid(
    *,
    pixels: int = 64,
    pixel_mm: float = 3.2,
    slice_mm: float = 5.0,
    count: int = 32,
    tilt_deg: float = 0.0,
) -> Geometry:
    tilt = np.deg2rad(tilt_deg)
    affine = np.eye(4)
    affine[:3, 0] = [-pixel_mm, 0, 0]
    affine[:3, 1] = [0, -pixel_mm * np.cos(tilt), -pixel_mm * np.sin(tilt)]
    affine[:3, 2] = [0, 0, slice_mm / np.cos(tilt)]
    middle = np.array([(pixels - 1) / 2, (pixels - 1) / 2, (count - 1) / 2])
    affine[:3, 3] = -affine[:3, :3] @ middle
    return Geometry((pixels, pixels, count), affine)


def series(
    folder: Path, geometry: Geometry | None = None, *, seed: int = 1, **header: object
) -> Path:
    """Write the phantom as DICOM; keyword arguments replace header values in every file."""
    geometry = geometry or grid()
    write_ct_series(
        phantom(geometry), folder, seed=seed, slice_thickness_mm=5.0, gantry_tilt_deg=0.0
    )
    for path in folder.iterdir():
        d = pydicom.dcmread(path)
        d.GantryDetectorTilt = str(round(geometry.tilt_deg, 2))
        for name, value in header.items():
            setattr(d, name, value)
        d.save_as(path)
    return folder


def agreement(ct: CTVolume) -> float:
    """Correlation of a volume with the phantom at the volume's own voxel positions: the lower of
    head and brain.

    Over the whole head air and skull outweigh the rest, and they are symmetric: a mirrored head
    correlates 0.99997 there. Inside the brain only the balls vary, and they are where they are
    once: a mirrored one falls below 0.8.
    """
    ras = ct.geometry.to_world(np.moveaxis(np.indices(ct.geometry.shape), 0, -1))
    expected, brain = np.rint(density(ras)), np.linalg.norm(ras / _SKULL_MM, axis=-1) < 0.75
    return min(
        float(np.corrcoef(expected[part], ct.hu[part])[0, 1])
        for part in (brain, np.ones_like(brain))
    )


def files(folder: Path) -> list[Path]:
    """In slice order (the writer names them so)."""
    return sorted(folder.glob("*.dcm"))


def edit(folder: Path, change: Callable[[pydicom.Dataset, int], None]) -> Path:
    """Change every file of a series, in slice order."""
    for n, path in enumerate(files(folder)):
        d = pydicom.dcmread(path)
        change(d, n)
        d.save_as(path)
    return folder


def multi_frame(path: Path, geometry: Geometry | None = None) -> Path:
    """The phantom as one Enhanced CT object: frames out of order, each second one with its own
    rescale.
    """
    geometry = geometry or grid()
    classic = [pydicom.dcmread(p) for p in files(series(path.parent / "classic", geometry))]
    shutil.rmtree(path.parent / "classic")
    d, frames, pixels = classic[0].copy(), [], []
    for n in np.random.default_rng(5).permutation(len(classic)):
        image, frame = classic[n], pydicom.Dataset()
        slope, intercept = (0.5, -1500) if n % 2 else (1, -1024)
        hu = image.pixel_array.astype(int) - 1024
        pixels.append(((hu - intercept) / slope).round().astype("<i2").tobytes())
        place, value = pydicom.Dataset(), pydicom.Dataset()
        place.ImagePositionPatient = image.ImagePositionPatient
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = (
            str(slope),
            str(intercept),
            "HU",
        )
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [place], [value]
        frames.append(frame)
    shared, orientation, measures, kind = (pydicom.Dataset() for _ in range(4))
    orientation.ImageOrientationPatient = d.ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = d.PixelSpacing, d.SliceThickness
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.CTImageFrameTypeSequence = [kind]
    for name in (
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(d, name)
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedCTImageStorage
    d.SharedFunctionalGroupsSequence, d.PerFrameFunctionalGroupsSequence = [shared], frames
    d.NumberOfFrames, d.PixelData = len(frames), b"".join(pixels)
    d.save_as(path)
    return path
