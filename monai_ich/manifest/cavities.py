"""Cavities of scans that come without: what training strips the skull by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monai_ich.anatomy.cavity import segment_anatomy
from monai_ich.bundle import Bundle
from monai_ich.core.errors import GeometryError, InputError, ManifestError, SeriesError
from monai_ich.io.nifti import write_nifti
from monai_ich.io.output import output_file
from monai_ich.manifest.check import Progress
from monai_ich.manifest.manifest import Case, Manifest
from monai_ich.manifest.scans import name_case, read_row_ct


def find_cavities(
    manifest: Manifest, folder: Path, *, bundle: Bundle, progress: Progress = iter
) -> tuple[Manifest, tuple[ManifestError, ...]]:
    """Give each case without `Case.anatomy` the labels that the anatomy bundle finds, as the
    pipeline would.

    Args:
        manifest: its images are read.
        folder: for ``ID.nii.gz`` of each such case; a file that is there is taken as it is, so that
            a run that was ended goes on.
        bundle: ``head_ct_anatomy``, loaded.
        progress: wraps the cases, to show how far it is.

    Returns:
        The manifest with anatomies, and why cases could not be read, which stay without: training
        shows them whole.

    Raises:
        OutputError: ``OUTPUT_NOT_WRITABLE``, ``DISK_FULL``.
    """
    cases: list[Case] = []
    faults: list[ManifestError] = []
    for case in progress(manifest.cases):
        try:
            cases.append(
                case if case.anatomy else replace(case, anatomy=_found(case, folder, bundle))
            )
        except (
            InputError,
            SeriesError,
            GeometryError,
        ) as error:  # of this scan; a full disk stops all
            cases.append(case)
            faults.append(name_case(error, case.id))
    return replace(manifest, cases=tuple(cases)), tuple(faults)


def _found(case: Case, folder: Path, bundle: Bundle) -> Path:
    path = folder / f"{case.id}.nii.gz"
    if not path.is_file():
        labels = segment_anatomy(read_row_ct(case.image), bundle=bundle)
        with output_file(path):
            write_nifti(path, labels)
    return path
