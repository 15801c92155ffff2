"""Manifests of public sets with masks: BHSD, INSTANCE 2022, PhysioNet CT-ICH. Cards:
``data_manifests/``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from monai_ich.core.errors import ManifestError
from monai_ich.manifest.labels import label_exam, label_exam_by_mask
from monai_ich.manifest.manifest import ANY, SAME_LABELS, Case, Manifest

_BHSD_NAME = re.compile(
    r"(ID_[0-9a-f]+)_ID_[0-9a-f]+"
)  # patient and study, as RSNA 2019 calls them
_CTICH_COLUMNS = {
    "Epidural": "EDH",
    "Intraparenchymal": "IPH",
    "Intraventricular": "IVH",
    "Subarachnoid": "SAH",
    "Subdural": "SDH",
}


def build_bhsd(folder: Path) -> Manifest:
    """BHSD's 192 scans with voxel labels, from ``label_192/images`` and ``ground truths`` or from
    ``imagesTr``...

    Raises:
        ManifestError: ``NOT_PSEUDONYM`` for a file that is not named as the published ones are.
    """
    root = folder / "label_192" if (folder / "label_192").is_dir() else folder
    parts = [
        ("images", "ground truths", "training"),
        ("imagesTr", "labelsTr", "training"),
        ("imagesTs", "labelsTs", "test"),
    ]
    cases = []
    for images, labels, split in parts:
        for image, label in _pairs(root / images, root / labels):
            name = _BHSD_NAME.fullmatch(_stem(image))
            if name is None:
                raise ManifestError(
                    "NOT_PSEUDONYM", "BHSD's files are called ID_..._ID_..., found one that is not."
                )
            exam = None if label is None else label_exam_by_mask(label, SAME_LABELS)
            cases.append(
                Case(_stem(image), split, (image,), label, patient=name[1], exam_labels=exam)
            )
    return Manifest("BHSD", tuple(cases), licence="see data_manifests/bhsd.md")


def build_instance2022(folder: Path) -> Manifest:
    """INSTANCE 2022: ``train_2/data`` and ``train_2/label`` (any hemorrhage), ``evaluation``
    without masks.
    """
    mapping = {1: ANY}
    root = folder / "train_2" if (folder / "train_2").is_dir() else folder
    cases = []
    for image, label in _pairs(root / "data", root / "label"):
        exam = None if label is None else label_exam_by_mask(label, mapping)
        cases.append(Case(f"train-{_number(image)}", "training", (image,), label, exam_labels=exam))
    cases += [
        Case(f"eval-{_number(image)}", "test", (image,)) for image in _scans(folder / "evaluation")
    ]
    return Manifest(
        "INSTANCE 2022", tuple(cases), mapping, licence="see data_manifests/instance2022.md"
    )


def build_ctich(folder: Path) -> Manifest:
    """PhysioNet CT-ICH 1.3.1: ``ct_scans``, ``masks`` (any hemorrhage), subtypes of each slice from
    its table.
    """
    table = folder / "hemorrhage_diagnosis_raw_ct.csv"
    slices: dict[int, dict[int, tuple[str, ...]]] = {}
    with table.open(newline="", encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            found = tuple(
                name for column, name in _CTICH_COLUMNS.items() if row[column].strip() == "1"
            )
            if not found and row["No_Hemorrhage"].strip() == "0":
                found = (ANY,)
            slices.setdefault(int(row["PatientNumber"]), {})[int(row["SliceNumber"])] = found
    cases = []
    for image, mask in _pairs(folder / "ct_scans", folder / "masks"):
        rows = slices.get(int(_number(image)))
        each = None if rows is None else tuple(rows.get(k) for k in range(1, max(rows) + 1))
        exam = (
            None if rows is None else label_exam(name for names in rows.values() for name in names)
        )
        cases.append(
            Case(_number(image), "training", (image,), mask, exam_labels=exam, slice_labels=each)
        )
    return Manifest(
        "PhysioNet CT-ICH", tuple(cases), {1: ANY, 255: ANY}, licence="see data_manifests/ctich.md"
    )


def _pairs(images: Path, labels: Path) -> Iterator[tuple[Path, Path | None]]:
    """Each scan with the mask that has its name."""
    for image in _scans(images):
        found = [
            p
            for p in (labels / f"{_stem(image)}{end}" for end in (".nii.gz", ".nii"))
            if p.is_file()
        ]
        yield image, found[0] if found else None


def _scans(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.nii*") if p.name.endswith((".nii", ".nii.gz")))


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".nii")


def _number(path: Path) -> str:
    if not _stem(path).isdigit():
        raise ManifestError(
            "NOT_PSEUDONYM", "The published scans are numbered files, found one that is not."
        )
    return _stem(path)
