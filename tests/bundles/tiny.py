"""Crude heads for the bundles' tests: ellipsoids, a skull, a lesion; seconds to make, exact
labels.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_ich.cli.app import main


def tiny_head(
    seed: int = 0,
    *,
    shape: tuple[int, int, int] = (88, 104, 20),
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 6.0),
    tilt_deg: float = 0.0,
    lesion: bool = True,
    patient_axes: tuple[int, int, int] = (-1, -1, 1),
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """HU (int16), hemorrhage labels, anatomy labels (uint8) and the affine of a head that is one
    ellipsoid.

    Args:
        seed: noise and the lesion's place and class.
        tilt_deg: shear of the slice axis, as a tilted gantry gives it.
        patient_axes: sign of each axis in RAS; the default is how scanners store (LPS in NIfTI's
            words).
    """
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.multiply(spacing_mm, patient_axes))
    affine[1, 2] = np.tan(np.radians(tilt_deg)) * spacing_mm[2]
    middle = (np.asarray(shape) - 1) / 2
    affine[:3, 3] = -affine[:3, :3] @ middle
    ijk = np.indices(shape).reshape(3, -1)
    x, y, z = (affine[:3, :3] @ ijk + affine[:3, 3:]).reshape(3, *shape)
    radius = np.sqrt((x / 66) ** 2 + (y / 82) ** 2 + (z / 52) ** 2)
    brain, head = radius < 1.0, radius < 1.16
    anatomy = np.zeros(shape, np.uint8)
    anatomy[brain & (x < 0)], anatomy[brain & (x >= 0)] = 1, 2
    ventricle = ((np.abs(x) - 12) / 9) ** 2 + (y / 30) ** 2 + ((z - 10) / 14) ** 2 < 1
    anatomy[ventricle & (x < 0)], anatomy[ventricle & (x >= 0)] = 3, 4
    anatomy[brain & (z < -25) & (y < -10)] = 5
    hu = np.full(shape, -1000.0)
    hu[head], hu[(radius < 1.1) & head], hu[brain], hu[ventricle & brain] = 20, 900, 33, 8
    labels = np.zeros(shape, np.uint8)
    if lesion:
        center = np.array([rng.choice([-1, 1]) * 38, rng.uniform(-30, 30), rng.uniform(-10, 20)])
        ball = ((x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2 < 15**2) & brain
        labels[ball] = 1 + seed % 5
        hu[ball] = 65
    hu[head] += rng.normal(0, 4, int(head.sum()))
    return np.round(hu).astype(np.int16), labels, anatomy, affine


def write_tiny_dataset(folder: Path, training: int = 3, validation: int = 2) -> Path:
    """A data set as the bundles read it; the last validation head has no hemorrhage."""
    listing: dict[str, object] = {"name": "tiny heads"}
    rows = []
    for number in range(training + validation):
        last = number == training + validation - 1
        hu, labels, anatomy, affine = tiny_head(
            number, lesion=not last, tilt_deg=12.0 if number == 1 else 0.0
        )
        case = folder / f"case_{number}"
        case.mkdir(parents=True)
        for name, voxels in {"ct": hu, "ich": labels, "anatomy": anatomy}.items():
            nib.save(nib.Nifti1Image(voxels, affine), case / f"{name}.nii.gz")
        rows.append(
            {
                k: f"{case.name}/{v}.nii.gz"
                for k, v in {"image": "ct", "label": "ich", "anatomy": "anatomy"}.items()
            }
        )
    listing |= {"training": rows[:training], "validation": rows[training:]}
    (folder / "dataset.json").write_text(json.dumps(listing))
    return folder


def measure_tiny_head(folder: Path) -> Path:
    """Where the tables of `monai-ich measure` lie, of a tiny head written into `folder`."""
    hu, labels, anatomy, affine = tiny_head(0)
    for name, voxels in {"ct": hu, "ich": labels, "anatomy": anatomy}.items():
        nib.save(nib.Nifti1Image(voxels, affine), folder / f"{name}.nii.gz")
    ich, ct, parts = (str(folder / f"{name}.nii.gz") for name in ("ich", "ct", "anatomy"))
    said = ["--labels-are", "monai-ich", "-o", str(folder / "numbers")]
    assert main(["measure", ich, "--ct", ct, "--anatomy", parts, *said]) == 0
    return folder / "numbers"
