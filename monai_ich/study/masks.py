"""A study of masks that are there, drawn or corrected by hand: numbers only, no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from monai_ich.analysis import Clock
from monai_ich.core.errors import InputError
from monai_ich.core.label_meaning import NOT_BLOOD as OTHER
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import Hemorrhage, Subtype
from monai_ich.given import measure_scan
from monai_ich.io.read import is_nifti
from monai_ich.manifest.manifest import ANY, NOT_BLOOD, Manifest, read_manifest
from monai_ich.results.files import write_provenance
from monai_ich.steps import ReadScan
from monai_ich.study.bids import bids_masks
from monai_ich.study.inputs import StudyCase

_ENDS = (".nii.gz", ".nii", ".seg.nrrd", ".dcm", "")  # the last one: a folder with a DICOM SEG


@dataclass(frozen=True)
class MeasureMasks:
    """Measures the mask of each case, in the place of the pipeline.

    Args:
        read: path to `Scan`.
        meaning: what values of masks mean, for all of them; None: what the manifest or the files
            say.
        operating_point_ml: from which volume a subtype counts as present.
        keep_ids: write patient ID and UIDs of a DICOM study into the tables.
        notes: kept in the provenance beside the settings.
    """

    read: ReadScan
    meaning: LabelMeaning | None = None
    operating_point_ml: float = 0.0
    keep_ids: bool = False
    notes: dict[str, object] = field(default_factory=dict)

    def __call__(self, path: Path, case: StudyCase, folder: Path) -> None:
        """Write tables and ``provenance.json`` into an empty folder.

        Raises:
            InputError: ``NO_MASK``, ``TWO_MASKS``.
            IchError: as `measure_masks`.
        """
        mask, clock = _only(case.masks), Clock()
        with clock("read"):
            scan = self.read(path)
        done = measure_scan(
            scan,
            mask,
            folder,
            anatomy=case.anatomy,
            meaning=self.meaning or (case.meaning if is_nifti(mask) else None),
            operating_point_ml=self.operating_point_ml,
            case_id=case.id,
            keep_ids=self.keep_ids,
            notes=self.notes,
            seconds=clock.seconds,
        )
        write_provenance(folder, done.provenance)


def with_masks(
    cases: Iterable[StudyCase], masks: Path, anatomy: Path | None = None
) -> tuple[StudyCase, ...]:
    """The cases with their masks.

    Args:
        cases: from `study_input`.
        masks: manifest (.json) with `label` and `anatomy` of its cases; or folder with
            ``ID.nii.gz``, ``ID.nii``, ``ID.seg.nrrd``, ``ID.dcm``, a folder ``ID`` that holds one
            DICOM SEG, or a BIDS derivative.
        anatomy: a study, or folder with ``ID.nii.gz``, instead of the manifest's.

    Raises:
        InputError: ``INPUT_NOT_FOUND`` where a folder is not there.
        ManifestError: as `read_manifest`.
    """
    of_manifest = masks.suffix == ".json"
    folders = [path for path in (None if of_manifest else masks, anatomy) if path is not None]
    if not all(folder.is_dir() for folder in folders):
        raise InputError("INPUT_NOT_FOUND", "A folder of masks does not exist: check the path.")
    if of_manifest:
        found = _with_labels(cases, read_manifest(masks))
    else:
        root = masks.resolve()
        found = [replace(case, masks=_masks_of(case, root)) for case in cases]
    if anatomy is None:
        return tuple(found)
    root = anatomy.resolve()
    return tuple(replace(case, anatomy=_anatomy_of(case, root)) for case in found)


def _with_labels(cases: Iterable[StudyCase], manifest: Manifest) -> list[StudyCase]:
    known: dict[str, int] = {s.name: s for s in Subtype} | dict.fromkeys(NOT_BLOOD, OTHER)
    known[ANY] = Hemorrhage.ANY
    values = {v: known[name] for v, name in manifest.label_mapping.items() if name in known}
    meaning = LabelMeaning.of_blood(values) if values else None
    rows = {case.id: case for case in manifest.cases}
    found = []
    for case in cases:
        row = rows.get(case.id)
        masks = (row.label,) if row and row.label else ()
        anatomy = row.anatomy if row else None
        found.append(replace(case, masks=masks, anatomy=anatomy, meaning=meaning))
    return found


def _masks_of(case: StudyCase, root: Path) -> tuple[Path, ...]:
    named = (root / f"{case.id}{end}" for end in _ENDS)
    return (*(path for path in named if path.exists()), *bids_masks(case, root))


def _anatomy_of(case: StudyCase, root: Path) -> Path | None:
    folders = (root / "cases" / case.id, root / case.id)
    places = [*(folder / "anatomy.nii.gz" for folder in folders)]
    places += [root / f"{case.id}{end}" for end in (".nii.gz", ".nii", ".seg.nrrd")]
    return next((path for path in places if path.is_file()), None)


def _only(masks: tuple[Path, ...]) -> Path:
    if not masks:
        raise InputError("NO_MASK", "It has no mask: draw one, or take the scan out.")
    if len(masks) > 1:
        raise InputError("TWO_MASKS", "It has several masks: leave the one that is to be measured.")
    return masks[0]
