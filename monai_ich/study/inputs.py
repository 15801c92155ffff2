"""The cases of a study: the rows of a manifest, or what lies in a folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_ich.core.case_names import case_names, is_text
from monai_ich.core.errors import InputError
from monai_ich.io.read import is_nifti
from monai_ich.learning.manifest import read_manifest


@dataclass(frozen=True)
class StudyCase:
    """One scan to analyze.

    Args:
        id: names its folder and its row.
        image: a NIfTI file, DICOM folder or zip; or the DICOM files of one series.
        patient, site: from a manifest, for the table.
    """

    id: str
    image: tuple[Path, ...]
    patient: str = ""
    site: str = ""

    def digest(self, settings: str) -> str:
        """Short hash of the settings and of the files (names, sizes, times): a change of either is a new run."""
        found = [settings]
        for path in self.image:
            for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
                state = file.stat() if file.exists() else None
                found.append(f"{file.name} {state and (state.st_size, state.st_mtime_ns)}")
        return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


def list_cases(path: str | Path, *, keep_names: bool = False) -> list[StudyCase]:
    """The cases of a manifest (.json), or of a folder whose children are DICOM folders, zips and NIfTI files.

    A child's name may name a patient. It is taken where all children have harmless ones (``case_012``); else they are
    numbered in alphabetical order, ``case_001`` and on.

    Args:
        path: manifest or folder.
        keep_names: take the children's names whatever they are.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NO_CASES``.
        ManifestError: as `read_manifest`.
    """
    path = Path(path).resolve()
    if path.is_file() and path.suffix == ".json":
        return [StudyCase(c.id, c.image, c.patient, c.site) for c in read_manifest(path).cases]
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", "The input does not exist: check the path given.")
    children = sorted(p for p in path.iterdir() if _may_be_scan(p)) if path.is_dir() else []
    if not children:
        message = "A study takes a manifest (.json) or a folder of DICOM folders, zips and NIfTI files."
        raise InputError("NO_CASES", message)
    return [StudyCase(name, (child,)) for name, child in zip(_names(children, keep_names), children, strict=True)]


def _may_be_scan(path: Path) -> bool:
    return not path.name.startswith(".") and (path.is_dir() or is_nifti(path) or path.suffix.lower() == ".zip")


def _names(children: Sequence[Path], keep: bool) -> list[str]:
    names = [re.sub(r"(\.nii|\.nii\.gz|\.zip)$", "", child.name, flags=re.IGNORECASE) for child in children]
    keep = keep and len(set(names)) == len(names) and all(map(is_text, names))
    return names if keep else case_names(names)
