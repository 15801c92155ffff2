"""What is wrong with a data set, all of it, before a training finds out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from isal import igzip

from monai_ich.core.errors import IchError, ManifestError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import read_nifti_grid
from monai_ich.io.read import is_nifti
from monai_ich.manifest.labels import denies_its_subtype, read_any_labels, values_in
from monai_ich.manifest.manifest import (
    Case,
    Manifest,
    find_conflicts,
    find_violations,
    read_cases,
    read_manifest,
    read_mapping,
    read_record,
)
from monai_ich.manifest.scans import name_case, read_row_ct
from monai_ich.synth.parallel import map_jobs

Progress = Callable[[Iterable[Case]], Iterable[Case]]


def check_manifest(path: str | Path, *, progress: Progress = iter) -> Iterator[ManifestError]:
    """Every fault of `find_faults`.

    Raises:
        ManifestError: ``NO_MANIFEST``, ``NOT_JSON``.
    """
    return (fault for _, fault in find_faults(path, progress=progress))


def leave_out(path: str | Path, ids: Collection[str]) -> Manifest:
    """The manifest without the rows of these ids.

    Raises:
        ManifestError: as `read_manifest`; ``NO_CASES`` where no row is left.
    """
    manifest = read_manifest(path)
    kept = tuple(case for case in manifest.cases if case.id not in ids)
    if not kept:
        raise ManifestError(
            "NO_CASES", "Every scan of the manifest has a fault: there is none to keep."
        )
    return replace(manifest, cases=kept)


def find_faults(
    path: str | Path, *, progress: Progress = iter, workers: int = 1
) -> Iterator[tuple[str, ManifestError]]:
    """Every fault of a manifest and of the files that it names, as they are found, after the id of
    the row that it is about; ``""``: of the list itself.

    DICOM is read as import reads it, to its last pixel.

    Codes: ``SCHEMA_VIOLATION`` (then the files are not looked at), ``DUPLICATE_ID``,
    ``PATIENT_IN_TWO_SPLITS``, ``CONTRADICTORY_LABELS``, ``MISSING_FILE``, ``UNKNOWN_LABEL`` (a
    value that the mapping does not name), ``GRID_MISMATCH``, ``SLICE_COUNT``, ``UNREADABLE_FILE``,
    ``DUPLICATE_IMAGE`` (the same bytes, packed or not), and those of `monai_ich.io` and
    `monai_ich.dicom`.

    Args:
        path: the manifest.
        progress: wraps the cases, to show how far the check is.
        workers: processes.

    Raises:
        ManifestError: ``NO_MANIFEST``, ``NOT_JSON``.
    """
    record = read_record(Path(path))
    violations = list(find_violations(record))
    if violations:
        yield from (("", violation) for violation in violations)
        return
    cases = list(read_cases(record, Path(path).parent))
    yield from (("", conflict) for conflict in find_conflicts(cases))
    check = partial(_check_case, mapping=read_mapping(record))
    seen: dict[str, str] = {}  # digest of each image to the id of its row
    for case, found in zip(progress(cases), map_jobs(check, cases, workers), strict=True):
        yield from ((case.id, fault) for fault in found.faults)
        first = case.id if found.digest is None else seen.setdefault(found.digest, case.id)
        if first != case.id:
            message = f"{first} and {case.id} are the same scan: leave one out."
            yield case.id, ManifestError("DUPLICATE_IMAGE", message)


@dataclass(frozen=True)
class _Checked:
    """Args:
    faults: of a row.
    digest: of its image, where it could be read.
    """

    faults: tuple[ManifestError, ...]
    digest: str | None


def _check_case(case: Case, mapping: Mapping[int, str]) -> _Checked:
    faults = []
    if denies_its_subtype(case.exam_labels or {}):  # "any" alone may be what readers agree on
        message = f"Case {case.id}: its exam labels exclude each other."
        faults.append(ManifestError("CONTRADICTORY_LABELS", message))
    if missing := list(_missing_files(case)):
        return _Checked((*faults, *missing), None)
    faults += _check_files(case, mapping)
    try:
        return _Checked(tuple(faults), _digest(case.image))
    except Exception:  # a damaged archive fails in many ways
        message = f"Case {case.id}: its image is cut short or damaged."
        return _Checked((*faults, ManifestError("UNREADABLE_FILE", message)), None)


def _missing_files(case: Case) -> Iterator[ManifestError]:
    roles = {"label": [case.label], "edema": [case.edema], "anatomy": [case.anatomy]}
    for role, paths in {"image": case.image, **roles}.items():
        missing = [p for p in paths if p is not None and not p.exists()]
        if missing:
            which = f"{len(missing)} of {len(paths)} files" if len(paths) > 1 else "the file"
            yield ManifestError(
                "MISSING_FILE", f"Case {case.id}: {which} of its {role} is not there."
            )


def _check_files(case: Case, mapping: Mapping[int, str]) -> Iterator[ManifestError]:
    try:
        grid = _grid_of(case)
        slices = grid.shape[2]
        if case.slice_labels is not None and len(case.slice_labels) != slices:
            message = f"Case {case.id} has {slices} slices and labels for {len(case.slice_labels)}."
            yield ManifestError("SLICE_COUNT", message)
        masks = (
            ("label", case.label, mapping),
            ("edema", case.edema, {1}),
            ("anatomy", case.anatomy, {int(a) for a in Anatomy}),
        )
        for role, path, known in masks:
            if path is not None:
                yield from _check_labels(
                    f"Case {case.id}: its {role}", read_any_labels(path, grid=grid), grid, known
                )
    except IchError as error:
        yield name_case(error, case.id)


def _check_labels(
    what: str, labels: LabelMap, grid: Geometry, known: Iterable[int]
) -> Iterator[ManifestError]:
    unknown = sorted(set(values_in(labels)) - set(known))
    if unknown:
        yield ManifestError(
            "UNKNOWN_LABEL", f"{what} holds {unknown[:5]}, of which the manifest says no meaning."
        )
    if not labels.geometry.same_grid(grid):
        yield ManifestError(
            "GRID_MISMATCH", f"{what} does not lie on the grid of its image: resample it."
        )


def _grid_of(case: Case) -> Geometry:
    """Of a NIfTI file its header's; DICOM must be read whole to know that it can be."""
    image = case.image[0]
    return read_nifti_grid(image) if is_nifti(image) else read_row_ct(case.image).geometry


def _digest(image: Iterable[Path]) -> str:
    """Of the content of the files, unpacked, whatever their names and order."""
    found = []
    for path in image:
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            digest = hashlib.sha256()
            with igzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
            found.append(digest.hexdigest())
    return hashlib.sha256("".join(sorted(found)).encode()).hexdigest()
