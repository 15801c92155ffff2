"""Clots of labeled heads in real slices without blood: real texture around blood that is known.

Slices without blood alone teach a network that real texture has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monai_ich.anatomy.cavity import segment_anatomy
from monai_ich.bundle import Bundle
from monai_ich.core.errors import ManifestError
from monai_ich.core.labels import EDEMA, Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask, slices_last
from monai_ich.io.nifti import read_nifti_labels, read_nifti_numbers, write_nifti
from monai_ich.io.read import as_one_path, read_ct
from monai_ich.manifest.check import Progress
from monai_ich.manifest.clots import Section, put_clots
from monai_ich.manifest.labels import label_exam
from monai_ich.manifest.manifest import SAME_LABELS, Case, Manifest

_LEAST_BLOOD_PIXELS = 60
_WIDE = 0.5  # of the largest section's area: what slices clots are taken from have at least


@dataclass(frozen=True, eq=False)
class _Head:
    """A head with its slices along K; `labels` hold subtypes and edema."""

    ct: CTVolume
    labels: NDArray[np.uint8]
    anatomy: LabelMap

    @property
    def slice_mm(self) -> float:
        return self.ct.geometry.spacing_mm[2]

    def section(self, k: int) -> Section:
        return Section(
            self.ct.hu[:, :, k],
            self.labels[:, :, k],
            self.anatomy.voxels[:, :, k] > 0,
            self.ct.geometry.affine[:2, :2],
        )

    def with_blood(self) -> NDArray[np.intp]:
        """Slices where the cavity is wide and has blood in it."""
        cavity = self.anatomy.voxels > 0
        blood = ((self.labels > 0) & (self.labels != EDEMA) & cavity).sum((0, 1))
        area = cavity.sum((0, 1))
        found: NDArray[np.intp] = np.nonzero(
            (blood > _LEAST_BLOOD_PIXELS) & (area > _WIDE * area.max())
        )[0]
        return found


def build_transplants(
    backgrounds: Manifest,
    heads: Manifest,
    output: Path,
    *,
    count: int,
    bundle: Bundle,
    prefix: str = "transplant",
    seed: int = 0,
    progress: Progress = iter,
) -> Manifest:
    """Put clots (`put_clots`) into stacks that repeat one slice without blood (`build_negatives`).

    Every other stack shows one section of the clots throughout, as its background does; in the rest
    they change from slice to slice as in the head they come from. A stack is of its background's
    patient.

    Args:
        backgrounds: the stacks, slices along the third axis; each serves in turn.
        heads: with masks of subtypes, anatomy and exam labels; those without blood are passed over.
        output: where stacks are written.
        count: how many heads are drawn; one whose blood is too little in every slice gives none.
        bundle: ``head_ct_anatomy``, loaded: finds the cavity of the stacks.
        prefix: of their names.
        seed: of what is drawn.
        progress: wraps the heads, to show how far it is.

    Raises:
        ManifestError: ``NO_CLOTS``.
    """
    same = heads.label_mapping == SAME_LABELS
    donors = [case for case in heads.cases if same and _has_clots(case)]
    stacks = [_read_stack(case, bundle) for case in backgrounds.cases if donors]
    rng, cases = np.random.default_rng(seed), list[Case]()
    drawn = [donors[rng.integers(len(donors))] for _ in range(count if stacks else 0)]
    for number, donor in enumerate(progress(drawn)):
        stack, head = stacks[number % len(stacks)], _read_head(donor)
        if len(slices := head.with_blood()):
            sections = _sections(
                stack, head, int(rng.choice(slices)), flat=number // len(stacks) % 2 == 0
            )
            case = _write(f"{prefix}_{number:04d}", output, *_transplanted(stack, head, sections))
            cases.append(replace(case, patient=backgrounds.cases[number % len(stacks)].patient))
    if not cases:
        raise ManifestError(
            "NO_CLOTS",
            "No clot could be put into a stack: heads need masks of the five subtypes, an anatomy "
            "and exam labels, and one of them enough blood.",
        )
    return Manifest(
        "slices with transplanted clots",
        tuple(cases),
        description="Real slices without blood, repeated to stacks, with clots of other heads.",
    )


def _has_clots(case: Case) -> bool:
    return bool(case.label and case.anatomy and (case.exam_labels or {}).get("any"))


def _read_stack(case: Case, bundle: Bundle) -> _Head:
    with as_one_path(case.image) as image:
        ct = slices_last(read_ct(image, assume_hu=True).volume)
    count = ct.geometry.shape[2]  # all slices show the same; those at the ends are found worse
    found = segment_anatomy(ct, bundle=bundle).voxels[:, :, count // 2, None]
    anatomy = LabelMap(np.repeat(found, count, axis=2), ct.geometry, Anatomy)
    return _Head(ct, np.zeros(ct.geometry.shape, np.uint8), anatomy)


def _read_head(case: Case) -> _Head:
    assert case.label and case.anatomy
    with as_one_path(case.image) as image:
        ct = slices_last(read_ct(image, assume_hu=True).volume)
    labels = slices_last(read_nifti_labels(case.label, Subtype)).voxels
    if case.edema:
        edema = slices_last(read_nifti_numbers(case.edema).labels).voxels > 0
        labels = np.where(edema & (labels == 0), np.uint8(EDEMA), labels)
    return _Head(ct, labels, slices_last(read_nifti_labels(case.anatomy, Anatomy)))


def _sections(stack: _Head, head: _Head, drawn: int, *, flat: bool) -> list[int]:
    """For each slice of the stack the one of the head whose clots it shows; -1 beyond its ends."""
    count, last = stack.ct.geometry.shape[2], head.ct.geometry.shape[2] - 1
    offsets_mm = (np.arange(count) - count // 2) * (0.0 if flat else stack.slice_mm)
    found = drawn + np.rint(offsets_mm / head.slice_mm).astype(int)
    return [k if 0 <= k <= last else -1 for k in found.tolist()]


def _transplanted(
    stack: _Head, head: _Head, sections: list[int]
) -> tuple[CTVolume, NDArray[np.uint8]]:
    """The stack with the head's clots, and its labels."""
    hu, labels = stack.ct.hu.copy(), np.zeros_like(stack.labels)
    ventricles = stack.anatomy.mask(Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE).voxels
    for k, there in enumerate(sections):
        if there >= 0:
            hu[:, :, k], labels[:, :, k] = put_clots(
                stack.section(k), ventricles[:, :, k], head.section(there)
            )
    hu = np.rint(hu).clip(stack.ct.hu.min(), stack.ct.hu.max())
    return CTVolume(hu, stack.ct.geometry), labels


def _write(name: str, output: Path, ct: CTVolume, labels: NDArray[np.uint8]) -> Case:
    image, label, edema = (output / name / f"{part}.nii.gz" for part in ("ct", "ich", "edema"))
    blood = np.where(labels == EDEMA, np.uint8(0), labels)
    write_nifti(image, ct)
    write_nifti(label, LabelMap(blood, ct.geometry, Subtype))
    write_nifti(edema, Mask(labels == EDEMA, ct.geometry))
    exam = label_exam(subtype.name for subtype in Subtype if (blood == subtype).any())
    return Case(name, "training", (image,), label, edema=edema, exam_labels=exam)
