"""What is known of the hemorrhage in a case: from its exam's labels, its slices' labels, or its
mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import AnyLabel, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.dicom.series import SourceSeries
from monai_ich.io.read import is_nifti, read_labels
from monai_ich.manifest.manifest import ANY, NOT_BLOOD, Case

FINDINGS = (*(s.name for s in Subtype), ANY)


def read_any_labels(
    path: Path, *, grid: Geometry | None = None, source: SourceSeries | None = None
) -> LabelMap:
    """A label map whose numbers may mean anything (NIfTI) or are subtypes (.seg.nrrd, DICOM SEG).

    Raises:
        IchError: as `read_labels`.
    """
    return read_labels(path, AnyLabel if is_nifti(path) else Subtype, grid=grid, source=source)


def values_in(labels: LabelMap) -> list[int]:
    """The values that occur, without background."""
    return [int(v) for v in np.unique(labels.voxels) if v]


def label_exam(present: Iterable[str], known: Iterable[str] = FINDINGS) -> dict[str, int]:
    """Exam labels from what is present.

    Args:
        present: names; several slices' or voxels' together.
        known: what would have been named had it been there; ``"any"`` follows from the others.

    >>> label_exam(["SDH"])
    {'EDH': 0, 'IPH': 0, 'IVH': 0, 'SAH': 0, 'SDH': 1, 'any': 1}
    >>> label_exam([], known=["any"])
    {'any': 0}
    """
    found = set(present)
    return {
        name: int(name in found or (name == ANY and bool(found)))
        for name in FINDINGS
        if name in {*known, ANY}
    }


def label_exam_by_mask(path: Path, mapping: Mapping[int, str]) -> dict[str, int]:
    """Exam labels from a mask.

    Raises:
        IchError: as `read_labels`.
    """
    names = {value: name for value, name in mapping.items() if name not in NOT_BLOOD}
    present = {names[v] for v in values_in(read_any_labels(path)) if v in names}
    return label_exam(present, names.values())


def strata_of(case: Case, mapping: Mapping[int, str]) -> frozenset[str]:
    """What folds are balanced for: the findings that are present, else ``"none"``, or
    ``"unknown"``.
    """
    labels = case.exam_labels
    if labels is None and case.slice_labels is not None:
        labels = label_exam(name for names in case.slice_labels if names for name in names)
    if labels is None and case.label is not None:
        labels = label_exam_by_mask(case.label, mapping)
    if labels is None:
        return frozenset({"unknown"})
    return frozenset(name for name, is_present in labels.items() if is_present) or frozenset(
        {"none"}
    )


def contradict(labels: Mapping[str, int]) -> bool:
    """Whether exam labels exclude each other: a subtype without "any", or "any" with all five
    absent.

    >>> contradict({"SDH": 1, "any": 0}), contradict({"SDH": 1, "EDH": 0, "any": 1})
    (True, False)
    """
    of = {labels.get(s.name) for s in Subtype}
    return denies_its_subtype(labels) or (labels.get(ANY) == 1 and of == {0})


def denies_its_subtype(labels: Mapping[str, int]) -> bool:
    """Whether exam labels say that there is a subtype, and no hemorrhage."""
    return labels.get(ANY) == 0 and 1 in labels.values()
