"""Single slices of real heads without blood become stacks to train on: real edges, real noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from monai_ich.core.errors import ManifestError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.dicom.frames import decode_frame
from monai_ich.io.nifti import write_nifti
from monai_ich.manifest.labels import label_exam
from monai_ich.manifest.manifest import Case, Manifest

STACK_MM, SLICE_MM = 95.0, 5.0
_NOISE_HU = 2.5


def build_negatives(
    folder: Path, output: Path, *, pixel_mm: float, prefix: str = "negative", seed: int = 0
) -> Manifest:
    """Repeat each slice to a stack of 95 mm, noise drawn anew for each of its slices, with masks of
    background.

    Args:
        folder: slices, in subfolders too: 8-bit ``.png`` of 1 HU a gray level, or ``.dcm`` in HU.
        output: where stacks are written.
        pixel_mm: of pictures, which do not say it.
        prefix: of the stacks' names.
        seed: of the noise.

    Raises:
        ManifestError: ``NO_SLICES``.
    """
    rng, cases = np.random.default_rng(seed), []
    for number, (hu, pixel) in enumerate(_slices(folder, pixel_mm)):
        name = f"{prefix}_{number:03d}"
        ct = _stack(hu, pixel, rng)
        image, label = (output / name / f"{part}.nii.gz" for part in ("ct", "ich"))
        write_nifti(image, ct)
        write_nifti(label, LabelMap(np.zeros(ct.geometry.shape, np.uint8), ct.geometry, Subtype))
        cases.append(
            Case(name, "training", (image,), label, edema=label, exam_labels=label_exam(()))
        )
    if not cases:
        raise ManifestError(
            "NO_SLICES", "Slices to stack are .png or .dcm files, and the folder has none."
        )
    return Manifest(
        "slices without hemorrhage",
        tuple(cases),
        description="Single slices, each repeated to a stack.",
    )


def _slices(folder: Path, pixel_mm: float) -> Iterator[tuple[NDArray[np.float32], float]]:
    """HU ``(rows, columns)`` and pixel spacing of each slice, in the order of file names."""
    from PIL import Image

    for path in sorted(folder.rglob("*")):
        if path.suffix == ".png":
            yield np.asarray(Image.open(path).convert("L"), np.float32), pixel_mm
        elif path.suffix == ".dcm":
            import pydicom

            image = pydicom.dcmread(path)
            hu = decode_frame(image) * float(image.RescaleSlope) + float(image.RescaleIntercept)
            yield hu.astype(np.float32), float(image.PixelSpacing[0])


def _stack(hu: NDArray[np.float32], pixel_mm: float, rng: np.random.Generator) -> CTVolume:
    """Rows run to the back and columns to the patient's left, as pictures of head CT are shown."""
    count = math.ceil(STACK_MM / SLICE_MM)
    noise = gaussian_filter(rng.standard_normal((*hu.T.shape, count)), (0.7, 0.7, 0.0))
    slices = hu.T[:, :, None] + (_NOISE_HU / noise.std()) * noise * (hu.T[:, :, None] > hu.min())
    columns, rows = hu.T.shape
    affine = np.diag([-pixel_mm, -pixel_mm, SLICE_MM, 1.0])
    affine[:2, 3] = pixel_mm * (columns - 1) / 2, pixel_mm * (rows - 1) / 2
    return CTVolume(
        np.rint(slices).clip(hu.min(), hu.max()).astype(np.float32), Geometry(slices.shape, affine)
    )
