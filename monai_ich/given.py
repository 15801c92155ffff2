"""The story of masks that are given: measured, or written for 3D Slicer and a PACS. No network
runs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from monai_ich.anatomy.atlas_pose import find_atlas_pose
from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.acquisition import Acquisition
from monai_ich.core.case_names import case_name
from monai_ich.core.errors import GeometryError
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.geometry import Geometry
from monai_ich.core.label_meaning import LabelMeaning, require_subtypes
from monai_ich.core.labels import Anatomy, EdemaMask, Hemorrhage, LabelSet, Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.provenance import Notice, Provenance, installed_versions
from monai_ich.core.relabel import resample_labels
from monai_ich.core.volume import LabelMap
from monai_ich.io.identity import Identity, identity_of
from monai_ich.io.nifti import read_nifti_ct
from monai_ich.io.nifti_space import require_grid_kept
from monai_ich.io.output import output_folder, refuse_strangers
from monai_ich.io.read import Scan, interpolation_warnings, is_nifti, read_ct, read_labels
from monai_ich.io.sidecar import read_sidecar
from monai_ich.measure.summary import measure_exam
from monai_ich.measure.volume import ANY_VOXEL
from monai_ich.results.files import OF_THE_NUMBERS, TABLES, write_tables

_Masks: TypeAlias = tuple[LabelMap, LabelMap | None, LabelMap | None]  # blood, anatomy, edema
_MEASURED = "Measured from a given mask, no network was run."
_EXPORTED = "A mask that was given, no network was run."


@dataclass(frozen=True, eq=False)
class Given:
    """What a mask says about a scan.

    Args:
        exam: its measurements.
        warnings: what the reader of a number must know.
        provenance: versions, and that no network was run.
        files: names of what was written.
    """

    exam: ExamMeasurements
    warnings: tuple[Notice, ...]
    provenance: Provenance
    files: tuple[str, ...]


def measure_masks(
    labels: str | Path,
    output_dir: str | Path,
    *,
    ct: str | Path | None = None,
    anatomy: str | Path | None = None,
    edema: str | Path | None = None,
    meaning: LabelMeaning | None = None,
    operating_point_ml: float = 0.0,
    case_id: str | None = None,
    keep_ids: bool = False,
    overwrite: bool = False,
) -> Given:
    """Measure a mask and write the tables of `analyze`.

    Args:
        labels: hemorrhage labels, .nii(.gz), .seg.nrrd or DICOM SEG.
        output_dir: folder for the tables.
        ct: the scan, for densities; a slab is enough where it is NIfTI.
        anatomy: anatomy labels, for sides and midline shift.
        edema: mask of edema around the clots, where it is no value of `labels`.
        meaning: what the values of `labels` mean, where the file does not say so.
        operating_point_ml: from which volume a subtype counts as present; a mask that was drawn is
            true from its first voxel on.
        case_id: name in the tables; by default the folder's, unless it may be a record number.
        keep_ids: write patient ID and UIDs of a DICOM study into the tables.
        overwrite: replace earlier tables.

    Raises:
        OutputError: ``OUTPUT_EXISTS``, also where the folder holds an analysis, whose report new
            numbers contradict.
        InputError, LabelError, GeometryError: see `read_ct` and `read_labels`.
    """
    folder = Path(output_dir)
    refuse_strangers(folder, OF_THE_NUMBERS)
    with output_folder(folder, results=TABLES, overwrite=overwrite) as scratch:
        own = folder.resolve().name
        return measure_scan(
            _scan_beside(ct),
            labels,
            scratch,
            anatomy=anatomy,
            edema=edema,
            meaning=meaning,
            operating_point_ml=operating_point_ml,
            case_id=case_id or (own if keep_ids else case_name(own)),
            keep_ids=keep_ids,
        )


def measure_scan(
    scan: Scan | None,
    labels: str | Path,
    folder: Path,
    *,
    case_id: str,
    anatomy: str | Path | None = None,
    edema: str | Path | None = None,
    meaning: LabelMeaning | None = None,
    operating_point_ml: float = 0.0,
    keep_ids: bool = False,
    notes: Mapping[str, object] = MappingProxyType({}),
    seconds: Mapping[str, float] | None = None,
) -> Given:
    """Measure a mask of a scan that was read, and write the tables into a folder that is there.

    Args:
        scan: None where there is none.
        labels, anatomy, edema, meaning, operating_point_ml, case_id, keep_ids: as `measure_masks`.
        folder: for the tables.
        notes: kept in the provenance beside the settings.
        seconds: what took how long until now; None keeps no times, so that the same input gives the
            same bytes.

    Raises:
        InputError, LabelError, GeometryError: as `read_labels`.
    """
    start = time.perf_counter()
    masks = _read(labels, anatomy, scan, meaning, edema)
    found, parts, _ = masks
    limits = {s.name: operating_point_ml for s in Subtype}
    exam = _measured(masks, fit_midline(parts) if parts else None, scan, limits)
    warnings = _warnings(exam, scan, labels, anatomy, edema)
    if seconds is not None:
        seconds = {**seconds, "measure": round(time.perf_counter() - start, 3)}
    how = scan.acquisition if scan else Acquisition(reason="no CT was given")
    provenance = Provenance(
        versions=installed_versions(),
        status=_MEASURED,
        settings={"operating_point_ml": operating_point_ml, "labels_are": _said(meaning), **notes},
        seconds=dict(seconds or {}),
        acquisition=how.on((scan.volume if scan else found).geometry),
    )
    write_tables(
        exam,
        folder,
        case_id=case_id,
        warnings=warnings,
        provenance=provenance,
        identity=None if not keep_ids else identity_of(scan) if scan else Identity(),
    )
    return Given(exam, warnings, provenance, _names(folder))


def _said(meaning: LabelMeaning | None) -> str:
    """For example ``"SDH"`` or ``"1=SDH,2=edema,3=ignore"``; empty where the files say it."""
    if meaning is None:
        return ""
    word = {0: "ignore", Hemorrhage.ANY: "any", **{int(s): s.name for s in Subtype}}
    if meaning.only is not None:
        return word[meaning.only]
    said = {value: word[means] for value, means in (meaning.values or {}).items()}
    said |= dict.fromkeys(meaning.edema, "edema")
    return ",".join(f"{value}={means}" for value, means in said.items())


def export_masks(
    labels: str | Path,
    ct: str | Path,
    output_dir: str | Path,
    *,
    anatomy: str | Path | None = None,
    meaning: LabelMeaning | None = None,
    formats: Sequence[str] = (),
    labelmap: bool = False,
    overwrite: bool = False,
    **reading: Any,
) -> Given:
    """Write a mask as a segmentation or scene for 3D Slicer, and as DICOM SEG, SR and picture for a
    PACS.

    Args:
        labels, anatomy, meaning: as for `measure_masks`.
        ct: the scan; DICOM where DICOM is to be written.
        output_dir: folder for the files.
        formats: of ``seg.nrrd``, ``mrb``, ``dicom-seg``, ``dicom-sr``, ``dicom-sc``; empty: all but
            ``mrb`` for a DICOM CT, ``seg.nrrd`` for NIfTI. DICOM files carry the patient.
        labelmap: SEG as LABELMAP: smaller, few archives know it.
        overwrite: replace earlier files.
        reading: as for `read_ct`.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where the labels lie outside of the CT.
        LabelError: ``UNKNOWN_MEANING`` where `meaning` does not tell subtypes apart.
        SeriesError: ``NO_SOURCE`` where DICOM is asked for and the CT is none.
    """
    from monai_ich.io.seg_nrrd import write_seg_nrrd
    from monai_ich.results.dicom import DICOM_RESULTS, FORMATS, require_source, write_dicom_results
    from monai_ich.results.files import SCENE, write_scan_scene

    require_subtypes(meaning)
    results = ("ich.seg.nrrd", SCENE, *DICOM_RESULTS)
    with output_folder(Path(output_dir), results=results, overwrite=overwrite) as scratch:
        scan = read_ct(ct, **reading)
        wanted = tuple(formats) or ("seg.nrrd", *(FORMATS if scan.source is not None else ()))
        found, parts, wet = (
            _on_grid(mask, scan.volume.geometry) for mask in _read(labels, anatomy, scan, meaning)
        )
        assert found is not None
        midline = fit_midline(parts) if parts else None
        exam = _measured((found, parts, wet), midline, scan)
        warnings = _warnings(exam, scan, labels, anatomy)
        provenance = Provenance(installed_versions(), status=_EXPORTED)
        if "seg.nrrd" in wanted:
            write_seg_nrrd(scratch / "ich.seg.nrrd", found)
        if "mrb" in wanted:
            write_scan_scene(scratch, scan.volume, found, exam, anatomy=parts, midline=midline)
        if set(wanted) & set(FORMATS):
            from monai_ich.report.montage import render_montage

            source, montage = require_source(scan.source), scratch / "montage.png"
            render_montage(montage, scan.volume, found, anatomy=parts, midline=midline)
            write_dicom_results(
                scratch,
                source,
                found,
                exam,
                provenance=provenance,
                warnings=warnings,
                montage=montage,
                anatomy=parts,
                formats=wanted,
                encoding="LABELMAP" if labelmap else "BINARY",
            )
            montage.unlink()
        files = _names(scratch)
    return Given(exam, warnings, provenance, files)


def _scan_beside(path: str | Path | None) -> Scan | None:
    if path is None:
        return None
    if not is_nifti(Path(path)):
        return read_ct(path)
    scan = Scan(read_nifti_ct(Path(path)), acquisition=read_sidecar(Path(path)))
    require_grid_kept(scan.volume.geometry.affine)
    return scan


def _read(
    labels: str | Path,
    anatomy: str | Path | None,
    scan: Scan | None,
    meaning: LabelMeaning | None,
    edema: str | Path | None = None,
) -> _Masks:
    """All masks on the grid of the scan; without one on that of the labels."""
    kind = Subtype if meaning is None else meaning.labels
    found = _read_mask(labels, kind, scan, scan.volume.geometry if scan else None, meaning)
    grid = scan.volume.geometry if scan else found.geometry
    parts = None if anatomy is None else _read_mask(anatomy, Anatomy, scan, grid, None)
    of_edema = LabelMeaning(only=EdemaMask.EDEMA) if edema else meaning and meaning.of_edema
    if of_edema is None:
        return found, parts, None
    return found, parts, _read_mask(edema or labels, EdemaMask, scan, grid, of_edema)


def _read_mask(
    path: str | Path,
    labels: LabelSet,
    scan: Scan | None,
    grid: Geometry | None,
    meaning: LabelMeaning | None,
) -> LabelMap:
    return read_labels(
        path, labels, grid=grid, source=scan.source if scan else None, meaning=meaning
    )


def _measured(
    masks: _Masks,
    midline: Midline | NotMeasurable | None,
    scan: Scan | None,
    operating_points: Mapping[str, float] = ANY_VOXEL,
) -> ExamMeasurements:
    labels, anatomy, edema = masks
    return measure_exam(
        labels,
        ct=scan.volume if scan else None,
        anatomy=anatomy,
        midline=midline,
        pose=find_atlas_pose(anatomy, midline) if anatomy and midline else None,
        edema=edema.mask() if edema else None,
        operating_points=operating_points,
    )


def _warnings(
    exam: ExamMeasurements, scan: Scan | None, *masks: str | Path | None
) -> tuple[Notice, ...]:
    lost = interpolation_warnings(
        scan, *(Path(mask) if mask is not None else None for mask in masks)
    )
    return (*(scan.warnings if scan else ()), *lost, *exam.warnings)


def _on_grid(labels: LabelMap | None, grid: Geometry) -> LabelMap | None:
    """The labels on the CT's grid; refused where they lie outside of it."""
    if labels is None:
        return None
    there = resample_labels(labels, grid)
    if there.mask().volume_ml < 0.5 * labels.mask().volume_ml:
        raise GeometryError(
            "GRID_MISMATCH", "The labels lie outside of the CT: are they of this scan?"
        )
    return there


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir()))
