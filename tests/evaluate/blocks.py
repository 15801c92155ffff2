"""Label maps with voxels of 1 mL, so that every number of an evaluation can be checked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import AnyLabel, Subtype
from monai_ich.core.provenance import Provenance
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.measure.summary import measure_exam
from monai_ich.results.files import write_tables

CENTIMETER = Geometry((6, 6, 6), np.diag([10.0, 10.0, 10.0, 1.0]))  # a voxel is 1 mL
Box = tuple[slice | int, ...]


def blocks(*parts: tuple[int, Box], grid: Geometry = CENTIMETER) -> LabelMap:
    voxels = np.zeros(grid.shape, np.uint8)
    for value, box in parts:
        voxels[box] = value
    return LabelMap(voxels, grid, AnyLabel if voxels.max() > 5 else Subtype)


def write_study_case(folder: Path, labels: LabelMap, **subtypes: float) -> None:
    """What `analyze` leaves: a label map and measurements, with probabilities and a shift of 4 mm
    to the right.
    """
    write_nifti(folder / "ich.nii.gz", labels)
    write_tables(measure_exam(labels), folder, case_id="x", warnings=(), provenance=Provenance({}))
    record = json.loads((folder / "measurements.json").read_text())
    for name, probability in subtypes.items():
        (record if name == "any" else record["subtypes"][name])["probability"] = probability
    record["midline_shift"] = {"value_mm": 4.0, "toward": "right"}
    (folder / "measurements.json").write_text(json.dumps(record))


def folder_of(tmp_path: Path, labels: LabelMap) -> Path:
    write_nifti(tmp_path / "p" / "a.nii.gz", labels)
    return tmp_path / "p"
