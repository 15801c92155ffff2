"""A chiral head defined in the world, and DICOM series of it in any geometry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume
from monai_ich.io.dicom_write import write_ct_series


def density(ras: np.ndarray) -> np.ndarray:
    """HU of the phantom at RAS mm ``(..., 3)``: brain, skull, a bright ball front right, a dark one back left."""
    x, y, z = np.moveaxis(np.asarray(ras, float), -1, 0)
    radius = np.sqrt((x / 70) ** 2 + (y / 85) ** 2 + (z / 90) ** 2)
    hu = np.full(x.shape, 35.0)
    for center, size, value in (((25, 30, 0), 22, 75.0), ((-30, -25, 20), 18, 5.0)):
        distance = np.sqrt((x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2)
        hu += (value - 35) / (1 + np.exp((distance - size) / 2.0))
    hu += 765 / (1 + np.exp((0.9 - radius) * 30))
    return hu + (-1000 - hu) / (1 + np.exp((1.05 - radius) * 30))


def phantom(geometry: Geometry) -> CTVolume:
    ijk = np.moveaxis(np.indices(geometry.shape), 0, -1)
    return CTVolume(np.rint(density(geometry.to_world(ijk))).astype(np.float32), geometry)


def grid(
    *, pixels: int = 64, pixel_mm: float = 3.2, slice_mm: float = 5.0, count: int = 32, tilt_deg: float = 0.0
) -> Geometry:
    tilt = np.deg2rad(tilt_deg)
    affine = np.eye(4)
    affine[:3, 0] = [-pixel_mm, 0, 0]
    affine[:3, 1] = [0, -pixel_mm * np.cos(tilt), -pixel_mm * np.sin(tilt)]
    affine[:3, 2] = [0, 0, slice_mm / np.cos(tilt)]
    middle = np.array([(pixels - 1) / 2, (pixels - 1) / 2, (count - 1) / 2])
    affine[:3, 3] = -affine[:3, :3] @ middle
    return Geometry((pixels, pixels, count), affine)


def series(folder: Path, geometry: Geometry | None = None, *, seed: int = 1, **header: object) -> Path:
    """Write the phantom as DICOM; keyword arguments replace header values in every file."""
    geometry = geometry or grid()
    write_ct_series(phantom(geometry), folder, seed=seed, slice_thickness_mm=5.0, gantry_tilt_deg=0.0)
    for path in folder.iterdir():
        d = pydicom.dcmread(path)
        d.GantryDetectorTilt = str(round(geometry.tilt_deg, 2))
        for name, value in header.items():
            setattr(d, name, value)
        d.save_as(path)
    return folder


def agreement(ct: CTVolume) -> float:
    """Correlation of a volume with the phantom at the volume's own voxel positions: the lower of head and brain.

    Over the whole head air and skull outweigh the rest, and they are symmetric: a mirrored head correlates 0.99997
    there. Inside the brain only the two balls vary, and they are where they are once: a mirrored one falls below 0.8.
    """
    ras = ct.geometry.to_world(np.moveaxis(np.indices(ct.geometry.shape), 0, -1))
    expected, brain = np.rint(density(ras)), np.linalg.norm(ras / [70, 85, 90], axis=-1) < 0.75
    return min(float(np.corrcoef(expected[part], ct.hu[part])[0, 1]) for part in (brain, np.ones_like(brain)))


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
    """The phantom as one Enhanced CT object: frames out of order, each second one with its own rescale."""
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
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = str(slope), str(intercept), "HU"
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [place], [value]
        frames.append(frame)
    shared, orientation, measures, kind = (pydicom.Dataset() for _ in range(4))
    orientation.ImageOrientationPatient = d.ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = d.PixelSpacing, d.SliceThickness
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.CTImageFrameTypeSequence = [kind]
    for name in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(d, name)
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedCTImageStorage
    d.SharedFunctionalGroupsSequence, d.PerFrameFunctionalGroupsSequence = [shared], frames
    d.NumberOfFrames, d.PixelData = len(frames), b"".join(pixels)
    d.save_as(path)
    return path
