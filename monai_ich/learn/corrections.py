"""Masks that people corrected become rows to train on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monai_ich.core.errors import IchError, ManifestError, OutputError
from monai_ich.core.labels import Subtype
from monai_ich.io.nifti import write_nifti
from monai_ich.io.output import output_file
from monai_ich.io.read import as_one_path, is_nifti, read_ct, read_labels
from monai_ich.manifest.labels import label_exam
from monai_ich.manifest.manifest import SAME_LABELS, Case, Manifest

ENDINGS = (".seg.nrrd", ".nii.gz", ".nii", ".dcm")


def take_corrections(
    manifest: Manifest, masks: Path, folder: Path
) -> tuple[Manifest, tuple[ManifestError, ...]]:
    """The scans that have a corrected mask, as a manifest to train from.

    Args:
        manifest: names and images of the scans; a mask that a row has gives way to the corrected
            one.
        masks: folder with ``ID.seg.nrrd`` (3D Slicer), ``ID.nii.gz`` or ``ID.dcm`` (DICOM SEG).
        folder: where masks, and scans that are DICOM, are written as NIfTI.

    Returns:
        The manifest, and why masks could not be used.

    Raises:
        ManifestError: ``NO_CASES`` where no mask has the name of a scan.
        OutputError: ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    cases: list[Case] = []
    faults: list[ManifestError] = []
    found = {case.id: [masks / f"{case.id}{end}" for end in ENDINGS] for case in manifest.cases}
    present = {name: [p for p in paths if p.is_file()] for name, paths in found.items()}
    if not any(present.values()):
        raise ManifestError(
            "NO_CASES", "No mask is called like a scan of the manifest: name them ID.seg.nrrd."
        )
    for case in manifest.cases:
        for path in present[case.id][:1]:
            try:
                cases.append(_corrected(case, path, folder / case.id))
            except OutputError:
                raise
            except IchError as error:  # of this scan or mask
                faults.append(ManifestError(error.code, f"Case {case.id}: {error.message}"))
    return replace(manifest, cases=tuple(cases), label_mapping=dict(SAME_LABELS)), tuple(faults)


def _corrected(case: Case, path: Path, folder: Path) -> Case:
    with as_one_path(case.image) as image:
        scan = read_ct(image)
    grid = scan.volume.geometry
    labels = read_labels(path, Subtype, grid=grid, source=scan.source)
    if not labels.geometry.same_grid(grid):
        raise ManifestError(
            "GRID_MISMATCH", "its corrected mask does not lie on the grid of its image."
        )
    mask, ct = folder / "ich.nii.gz", folder / "ct.nii.gz"
    with output_file(mask):
        write_nifti(mask, labels)
    images = case.image
    if len(images) > 1 or not is_nifti(images[0]):
        with output_file(ct):
            write_nifti(ct, scan.volume)
        images = (ct,)
    present = [s.name for s in Subtype if (labels.voxels == s).any()]
    return replace(
        case,
        image=images,
        label=mask,
        edema=None,
        slice_labels=None,
        exam_labels=label_exam(present),
    )
