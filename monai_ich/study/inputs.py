"""The cases of a study: the rows of a manifest, what lies in a folder, or the CT of a BIDS data
set.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monai_ich.core.case_names import case_names, is_text, numbered
from monai_ich.core.errors import InputError
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.io.read import is_nifti
from monai_ich.manifest.manifest import read_manifest

_BIDS_SAFE = re.compile(r"[a-z]{2,4}-\d{1,3}")  # one entity, such as sub-012
_BIDS_FOLDERS = ("ct", "anat")  # BIDS 1.11 knows no CT: both are in use
_BIDS_CT = re.compile(r"sub-[^_]+(_[a-z]+-[^_]+)*_ct\.nii(\.gz)?", re.IGNORECASE)
_BIDS_BESIDE = (
    "derivatives",
    "sourcedata",
    "code",
    "phenotype",
    "stimuli",
    "README",
    "CHANGES",
    "LICENSE",
)
_BIDS_NOTES = (".json", ".tsv", ".md", ".txt", ".cff")
_IMAGES = (
    ".nrrd",
    ".mha",
    ".mhd",
    ".hdr",
    ".img",
    ".dcm",
    ".mgz",
    ".rar",
    ".7z",
    ".tar",
    ".tgz",
    ".gz",
)


@dataclass(frozen=True)
class StudyCase:
    """One scan to analyze.

    Args:
        id: names its folder and its row.
        image: a NIfTI file, DICOM folder or zip; or the DICOM files of one series.
        patient, site: from a manifest or BIDS, for the table.
        masks: what a study of masks found for it, see `with_masks`; exactly one can be measured.
        anatomy: label map, for such a study.
        meaning: what the values of these masks mean, as a manifest has it.
    """

    id: str
    image: tuple[Path, ...]
    patient: str = ""
    site: str = ""
    masks: tuple[Path, ...] = ()
    anatomy: Path | None = None
    meaning: LabelMeaning | None = None

    def digest(self, settings: str) -> str:
        """Short hash of the settings and of the files (names, sizes, times): a change of either is
        a new run.
        """
        found = [settings, *([str(self.meaning)] if self.meaning else [])]
        for path in (*self.image, *self.masks, *([self.anatomy] if self.anatomy else [])):
            for file in (
                sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            ):
                state = file.stat() if file.exists() else None
                found.append(f"{file.name} {state and (state.st_size, state.st_mtime_ns)}")
        return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class StudyInput:
    """What a study is of.

    Args:
        cases: with different IDs.
        passed_over: what else lies there and is not analyzed: kind, in words that name nobody, to
            count.
    """

    cases: tuple[StudyCase, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)

    def passed_over_words(self) -> str:
        """One sentence; empty where nothing was passed over."""
        if not self.passed_over:
            return ""
        kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(self.passed_over.items()))
        return f"Passed over beside the scans: {kinds}."


def list_cases(path: str | Path, *, keep_names: bool = False) -> list[StudyCase]:
    """The cases of `study_input`."""
    return list(study_input(path, keep_names=keep_names).cases)


def study_input(path: str | Path, *, keep_names: bool = False) -> StudyInput:
    """The cases of a manifest (.json), of a folder of DICOM folders, zips and NIfTI files, or of a
    BIDS data set.

    A child's name may name a patient. It is taken where all children have harmless ones
    (``case_012``); else they are numbered in alphabetical order, ``case_001`` and on. In a BIDS
    data set (``sub-*/[ses-*/]ct/*_ct.nii.gz``, or ``anat`` for ``ct``) a case is called by what
    comes before ``_ct``, and its patient by its subject. Links to scans are followed, links inside
    of DICOM folders are not.

    Args:
        path: manifest or folder.
        keep_names: take the names whatever they are.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NO_CASES``.
        ManifestError: as `read_manifest`.
    """
    path = Path(path).resolve()
    if path.is_file() and path.suffix == ".json":
        return StudyInput(
            tuple(StudyCase(c.id, c.image, c.patient, c.site) for c in read_manifest(path).cases)
        )
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", "The input does not exist: check the path given.")
    children = (
        sorted(p for p in path.iterdir() if not p.name.startswith(".")) if path.is_dir() else []
    )
    images = [image for child in children for image in _bids_images(child)]
    found = _bids(images, children, keep_names) if images else _flat(children, keep_names)
    if not found.cases:
        message = (
            "A study takes a manifest (.json), a folder of DICOM folders, zips and NIfTI "
            "files, or BIDS with CT."
        )
        raise InputError("NO_CASES", " ".join(filter(None, (message, found.passed_over_words()))))
    return found


def _flat(children: Sequence[Path], keep: bool) -> StudyInput:
    scans = [child for child in children if _may_be_scan(child)]
    over = Counter(_kind(child) for child in children if not _may_be_scan(child))
    cases = tuple(
        StudyCase(name, (scan,)) for name, scan in zip(_names(scans, keep), scans, strict=True)
    )
    return StudyInput(cases, over)


def _may_be_scan(path: Path) -> bool:
    return path.is_dir() or is_nifti(path) or path.suffix.lower() == ".zip"


def _kind(path: Path) -> str:
    """What is passed over, in words of ours."""
    if path.is_symlink() and not path.exists():
        return "broken links"
    suffix = path.suffix.lower()
    if is_nifti(path):
        return "other NIfTI files"
    if suffix in _IMAGES:
        return f"{suffix} files"
    without = not suffix or suffix[1:].isdigit()  # a UID holds dots
    return "files without an extension" if without else "other files"


def _names(children: Sequence[Path], keep: bool) -> list[str]:
    names = [
        re.sub(r"(\.nii|\.nii\.gz|\.zip)$", "", child.name, flags=re.IGNORECASE)
        for child in children
    ]
    keep = keep and len(set(names)) == len(names) and all(map(is_text, names))
    return names if keep else case_names(names)


def _bids_images(subject: Path) -> list[Path]:
    """The CT of a subject's folder; empty where it is none."""
    if not (subject.name.startswith("sub-") and subject.is_dir()):
        return []
    homes = [f"{session}{kind}/*" for session in ("", "ses-*/") for kind in _BIDS_FOLDERS]
    found = [path for home in homes for path in subject.glob(home)]
    return sorted(path for path in found if _BIDS_CT.fullmatch(path.name))


def _bids(images: Sequence[Path], children: Sequence[Path], keep: bool) -> StudyInput:
    names = [re.sub(r"_ct\.nii(\.gz)?$", "", image.name, flags=re.IGNORECASE) for image in images]
    harmless = all(
        _BIDS_SAFE.fullmatch(entity) for name in names for entity in name.lower().split("_")
    )
    subjects = [name.split("_")[0] for name in names]
    patients = subjects
    if not (keep or harmless) or len(set(names)) < len(names):
        names = numbered(len(names))
    if not (keep or harmless):
        different = list(dict.fromkeys(subjects))
        names_of = dict(zip(different, numbered(len(different), "patient"), strict=True))
        patients = [names_of[subject] for subject in subjects]
    cases = tuple(
        StudyCase(name, (image,), patient)
        for name, image, patient in zip(names, images, patients, strict=True)
    )
    return StudyInput(cases, _beside_bids(images, children))


def _beside_bids(images: Sequence[Path], children: Sequence[Path]) -> Counter[str]:
    over: Counter[str] = Counter()
    beside = [
        path
        for folder in {image.parent for image in images}
        for path in folder.iterdir()
        if path not in images
    ]
    for path in [*beside, *(child for child in children if child.name not in _BIDS_BESIDE)]:
        if path.name.startswith("sub-") and path.is_dir():
            over["subjects without a CT"] += not _bids_images(path)
        elif path.is_dir():
            over["other folders"] += 1
        elif path.suffix.lower() not in _BIDS_NOTES and not path.name.startswith("."):
            over[_kind(path)] += 1
    return +over
