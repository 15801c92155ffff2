"""Scans without a head, and heads on shoulders: rows that teach an anatomy network where no cavity
is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from monai_ich.core.errors import ManifestError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import as_one_path
from monai_ich.manifest.check import Progress
from monai_ich.manifest.labels import label_exam
from monai_ich.manifest.manifest import Case, Manifest
from monai_ich.synth.bodies import AIR_HU, STEP_MM, draw_body, on_shoulders

_Voxels = NDArray[np.float64]


def build_bodies(
    heads: Manifest,
    output: Path,
    *,
    count: int,
    prefix: str = "body",
    seed: int = 0,
    progress: Progress = iter,
) -> Manifest:
    """Write scans without a head (`draw_body`) and, every other one, a head on shoulders.

    Args:
        heads: with anatomy, in HU; turned or tilted ones are passed over.
        output: where scans are written.
        count: how many.
        prefix: of their names.
        seed: of what is drawn.
        progress: wraps the scans, to show how far it is.

    Raises:
        ManifestError: ``NO_UPRIGHT_HEAD`` where no head can be used.
    """
    rng, cases = np.random.default_rng(seed), list[Case]()
    upright = [case for case in heads.cases if _is_upright(case)]
    if not upright:
        raise ManifestError(
            "NO_UPRIGHT_HEAD",
            "Shoulders need heads with an anatomy, in HU, neither turned nor tilted.",
        )
    drawn = [upright[rng.integers(len(upright))] for _ in range(count)]
    for number, case in enumerate(progress(drawn)):
        name = f"{prefix}_{number:04d}"
        if number % 2:
            head, anatomy = _read_upright(case)
            hu, place = on_shoulders(head, rng)
            labels = np.zeros(hu.shape, np.uint8)
            labels[place] = anatomy
            patient = case.patient
        else:
            hu = draw_body(rng)
            labels, patient = np.zeros(hu.shape, np.uint8), name
        cases.append(replace(_write(name, output, hu, labels), patient=patient))
    return Manifest(
        "bodies", tuple(cases), description="Scans without a head, and heads on shoulders."
    )


def _is_upright(case: Case) -> bool:
    if case.anatomy is None or len(case.image) != 1 or not case.image[0].is_file():
        return False
    image: Any = nib.load(case.image[0])
    axes = np.abs(image.affine[:3, :3]) / np.linalg.norm(image.affine[:3, :3], axis=0)
    around = np.asarray(image.dataobj[..., 0])  # a window has no air
    return bool((axes.max(axis=0) > 0.9999).all() and around.min() < AIR_HU / 2)


def _read_upright(case: Case) -> tuple[_Voxels, NDArray[np.uint8]]:
    """A head and its anatomy at `STEP_MM`, axes to the right, to the front and up."""
    assert case.anatomy is not None
    with as_one_path(case.image) as path:
        image, anatomy = (nib.as_closest_canonical(nib.load(p)) for p in (path, case.anatomy))
    factors = np.linalg.norm(image.affine[:3, :3], axis=0) / STEP_MM
    hu = zoom(np.asarray(image.dataobj, np.float64), factors, order=1, mode="nearest")
    labels = zoom(np.asarray(anatomy.dataobj).astype(np.uint8), factors, order=0, mode="nearest")
    return np.maximum(hu, AIR_HU), labels


def _write(name: str, output: Path, hu: _Voxels, labels: NDArray[np.uint8]) -> Case:
    affine = np.diag([*STEP_MM, 1.0])
    affine[:3, 3] = [-n * step / 2 for n, step in zip(hu.shape, STEP_MM, strict=True)]
    geometry = Geometry(hu.shape, affine)
    image, label, anatomy = (output / name / f"{part}.nii.gz" for part in ("ct", "ich", "anatomy"))
    write_nifti(image, CTVolume(hu.astype(np.float32), geometry))
    write_nifti(label, LabelMap(np.zeros_like(labels), geometry, Subtype))
    write_nifti(anatomy, LabelMap(labels, geometry, Anatomy))
    return Case(name, "training", (image,), label, anatomy=anatomy, exam_labels=label_exam(()))
