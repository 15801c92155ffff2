"""Masks that people corrected become rows to train on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from monai_ich.core.errors import IchError, InputError, ManifestError, OutputError
from monai_ich.core.geometry import Geometry
from monai_ich.core.label_meaning import LabelMeaning, require_subtypes
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.output import output_file
from monai_ich.io.read import Scan, as_one_path, is_nifti, read_ct, read_labels
from monai_ich.manifest.labels import label_exam, read_any_labels
from monai_ich.manifest.manifest import SAME_LABELS, Case, Manifest

ENDINGS = (".seg.nrrd", ".nii.gz", ".nii", ".dcm")


def take_corrections(
    manifest: Manifest, masks: Path, folder: Path, *, meaning: LabelMeaning | None = None
) -> tuple[Manifest, tuple[ManifestError, ...]]:
    """The scans that have a corrected mask, as a manifest to train from.

    Args:
        manifest: names and images of the scans; a mask that a row has gives way to the corrected
            one.
        masks: folder with ``ID.seg.nrrd`` (3D Slicer), ``ID.nii.gz`` or ``ID.dcm`` (DICOM SEG).
        folder: where masks, and scans that are DICOM, are written as NIfTI.
        meaning: what the values of masks mean that do not say it themselves.

    Returns:
        The manifest, and why masks could not be used; ``UNUSED_MASKS`` among these where the folder
        holds what is called like no scan.

    Raises:
        InputError: ``INPUT_NOT_FOUND`` where the folder of masks does not exist.
        LabelError: ``UNKNOWN_MEANING`` where `meaning` does not tell subtypes apart.
        ManifestError: ``NO_CASES`` where no mask has the name of a scan; ``TWO_MASKS``.
        OutputError: ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    require_subtypes(meaning)
    cases: list[Case] = []
    faults: list[ManifestError] = []
    found = _masks_of(manifest, masks)
    for case in (case for case in manifest.cases if case.id in found):
        try:
            cases.append(_corrected(case, found[case.id], folder / case.id, meaning))
        except OutputError:
            raise
        except IchError as error:  # of this scan or mask
            faults.append(ManifestError(error.code, f"Case {case.id}: {error.message}"))
    return replace(manifest, cases=tuple(cases), label_mapping=dict(SAME_LABELS)), (
        *faults,
        *_unused(masks, found.values()),
    )


def _unused(masks: Path, used: Collection[Path]) -> Iterator[ManifestError]:
    """That other files are there, hidden ones aside: how many, since names may be patients'."""
    there = {path for path in masks.iterdir() if not path.name.startswith(".")}
    if count := len(there.difference(used)):
        yield ManifestError(
            "UNUSED_MASKS",
            f"No scan is called like {count} of {len(there)} files in the folder of masks, which "
            "were not used: name a mask ID.seg.nrrd, ID.nii.gz, ID.nii or ID.dcm, with the id as "
            "the manifest writes it.",
        )


def _masks_of(manifest: Manifest, masks: Path) -> Mapping[str, Path]:
    """The mask of each scan that has one."""
    if not masks.is_dir():
        raise InputError(
            "INPUT_NOT_FOUND", "The folder of corrected masks does not exist: check the path given."
        )
    there = {path.name: path for path in masks.iterdir() if path.is_file()}  # letters as written
    found: dict[str, Path] = {}
    for case in manifest.cases:
        of_case = [there[name] for end in ENDINGS if (name := f"{case.id}{end}") in there]
        if len(of_case) > 1:
            raise ManifestError(
                "TWO_MASKS",
                f"Case {case.id} has several corrected masks: leave the one that counts.",
            )
        if of_case:
            found[case.id] = of_case[0]
    if not found:
        raise ManifestError(
            "NO_CASES", "No mask is called like a scan of the manifest: name them ID.seg.nrrd."
        )
    return found


def _corrected(case: Case, path: Path, folder: Path, meaning: LabelMeaning | None) -> Case:
    with as_one_path(case.image) as image:
        scan = read_ct(image)
    labels = _labels_of(path, scan, meaning)
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


def _labels_of(path: Path, scan: Scan, meaning: LabelMeaning | None) -> LabelMap:
    grid = scan.volume.geometry
    if meaning is None and is_nifti(path):  # what its values mean helps nobody on another grid
        _require_grid(read_any_labels(path, grid=grid), grid)
    labels = read_labels(path, Subtype, grid=grid, source=scan.source, meaning=meaning)
    _require_grid(labels, grid)
    return labels


def _require_grid(labels: LabelMap, grid: Geometry) -> None:
    if not labels.geometry.same_grid(grid):
        raise ManifestError(
            "GRID_MISMATCH", "its corrected mask does not lie on the grid of its image."
        )
