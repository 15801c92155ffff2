"""What an analysis is, and the files it becomes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Cavity, Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.dicom.series import SourceSeries
from monai_ich.io.identity import Identity
from monai_ich.io.lesion_table import write_lesions_csv
from monai_ich.io.nifti import write_nifti
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.io.slice_table import write_slices_csv
from monai_ich.io.slicer_markups import midline_markups, write_markups
from monai_ich.io.slicer_scene import write_color_table, write_scene
from monai_ich.io.table import (
    write_measurements_csv,
    write_measurements_json,
)
from monai_ich.report.heat_maps import heat_picture
from monai_ich.report.html import write_report
from monai_ich.report.montage import render_montage
from monai_ich.report.view import View, turn
from monai_ich.results.dicom import DICOM_HEAT_MAPS, DICOM_RESULTS, write_dicom_results

TABLES = ("measurements.json", "measurements.csv", "lesions.csv", "slices.csv")
RESULTS = (
    *("ct.nii.gz", "cavity.nii.gz", "anatomy.nii.gz", "ich.nii.gz"),
    *("ich.seg.nrrd", "ich.ctbl", "midline.mrk.json"),
    *TABLES,
    *("montage.png", "report.html", "provenance.json"),
)
OF_THE_NUMBERS = (
    "montage.png",
    "report.html",
    "provenance.json",
    "sr.dcm",
    "sc.dcm",
)  # they repeat what TABLES hold
SCENE, EDEMA = "scene.mrb", "edema.nii.gz"  # the latter where the network knows it
HEAT_MAPS = tuple(f"heatmap_{subtype.name}.nii.gz" for subtype in Subtype)
ON_REQUEST = (SCENE, EDEMA, *HEAT_MAPS, *DICOM_RESULTS, *DICOM_HEAT_MAPS)


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything known about one scan; images share one grid.

    `identity` and `source` only where the user asked to keep the one, and for DICOM results that
    refer to the other.
    """

    case_id: str
    ct: CTVolume
    anatomy: LabelMap
    cavity: Mask
    labels: LabelMap
    edema: Mask | None
    midline: Midline | NotMeasurable
    exam: ExamMeasurements
    warnings: tuple[Notice, ...]
    provenance: Provenance
    identity: Identity | None = None
    source: SourceSeries | None = None
    heat_maps: tuple[HeatMap, ...] = ()


def write_results(analysis: Analysis, folder: Path, *, scene: bool = False) -> None:
    """Write every file of `RESULTS` into `folder`; with a `source` those of `DICOM_RESULTS` too,
    with heat maps theirs, and `DICOM_HEAT_MAPS`.

    With `scene` also `SCENE`, which holds the CT once more. Images are packed beside the rest,
    which draws pictures: packing leaves Python free.
    """
    a = analysis
    cavity = LabelMap(a.cavity.voxels.astype(np.uint8), a.cavity.geometry, Cavity)
    images: dict[str, CTVolume | LabelMap | Mask | HeatMap] = {
        "ct.nii.gz": a.ct,
        "cavity.nii.gz": cavity,
        "anatomy.nii.gz": a.anatomy,
        "ich.nii.gz": a.labels,
    }
    images |= {EDEMA: a.edema} if a.edema is not None else {}
    images |= {f"heatmap_{found.subtype.name}.nii.gz": found for found in a.heat_maps}
    with ThreadPoolExecutor() as pool:
        packing = [pool.submit(write_nifti, folder / name, image) for name, image in images.items()]
        packing.append(pool.submit(write_seg_nrrd, folder / "ich.seg.nrrd", a.labels))
        write_color_table(folder / "ich.ctbl", Subtype)
        write_markups(folder / "midline.mrk.json", midline_markups(a.midline, a.exam.midline_shift))
        view = turn(a.ct, a.labels, a.anatomy, a.heat_maps)
        _write_pages(a, folder, view)
        for packed in packing:
            packed.result()
    if scene:
        write_scan_scene(folder, a.ct, a.labels, a.exam, anatomy=a.anatomy, midline=a.midline)
    if a.source is not None:
        write_dicom_results(
            folder,
            a.source,
            a.labels,
            a.exam,
            provenance=a.provenance,
            warnings=a.warnings,
            montage=folder / "montage.png",
            anatomy=a.anatomy,
            heat_maps=a.heat_maps,
            heat_picture=heat_picture(view.cropped(), a.exam) if a.heat_maps else None,
        )


def _write_pages(a: Analysis, folder: Path, view: View) -> None:
    """Numbers and pictures."""
    write_tables(
        a.exam,
        folder,
        case_id=a.case_id,
        warnings=a.warnings,
        provenance=a.provenance,
        identity=a.identity,
    )
    render_montage(
        folder / "montage.png",
        a.ct,
        a.labels,
        anatomy=a.anatomy,
        midline=a.midline,
        shift=a.exam.midline_shift,
    )
    write_report(
        folder / "report.html",
        a.exam,
        view,
        case_id=a.case_id,
        midline=a.midline,
        warnings=a.warnings,
        provenance=a.provenance,
        montage_png=folder / "montage.png",
    )
    write_provenance(folder, a.provenance)


def write_provenance(folder: Path, provenance: Provenance) -> None:
    """Write ``provenance.json``."""
    (folder / "provenance.json").write_text(json.dumps(asdict(provenance), indent=2) + "\n")


def write_scan_scene(
    folder: Path,
    ct: CTVolume,
    labels: LabelMap,
    exam: ExamMeasurements,
    *,
    anatomy: LabelMap | None,
    midline: Midline | NotMeasurable | None,
) -> None:
    """Write `SCENE`: CT, hemorrhage and, where there are any, anatomy with the cavity and midline
    markers.
    """
    segmentations = {"Hemorrhage": labels}
    if anatomy is not None:
        cavity = LabelMap(anatomy.mask().voxels.astype(np.uint8), anatomy.geometry, Cavity)
        segmentations |= {"Anatomy": anatomy, "Cavity": cavity}
    write_scene(folder / SCENE, ct, segmentations, midline_markups(midline, exam.midline_shift))


def write_tables(
    exam: ExamMeasurements,
    folder: Path,
    *,
    case_id: str,
    warnings: tuple[Notice, ...],
    provenance: Provenance,
    identity: Identity | None = None,
) -> None:
    """Write the numbers: `TABLES`. With an `identity` each row says whose it is."""
    origin: dict[str, Any] = {"case_id": case_id, "provenance": provenance, "identity": identity}
    write_measurements_json(folder / "measurements.json", exam, warnings=warnings, **origin)
    write_measurements_csv(folder / "measurements.csv", exam, **origin)
    write_lesions_csv(folder / "lesions.csv", exam, **origin)
    write_slices_csv(folder / "slices.csv", exam, **origin)
