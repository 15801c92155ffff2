"""Sound inputs of each kind, small, from which the damaged ones are made: a folder of alternatives
for each.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid

from monai_ich.bundle import find_bundle
from monai_ich.core.calibration import SHIFT, Calibration, Calibrator, ShiftCalibrator
from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import Notice, Provenance, installed_versions
from monai_ich.core.volume import LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.manifest.manifest import Case, Manifest, write_manifest
from monai_ich.measure.summary import measure_exam
from monai_ich.results.files import write_tables
from tests.dicom_syntax import transcode_folder
from tests.heads import anatomy
from tests.manifest_files import write_mask, write_scan
from tests.phantom import files, grid, multi_frame, phantom, series
from tests.seg_contract import write_seg

SMALL = grid(pixels=40, pixel_mm=5.1, slice_mm=12.0, count=14)
SYNTAXES = {
    "plain": uid.ExplicitVRLittleEndian,
    "implicit": uid.ImplicitVRLittleEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "rle": uid.RLELossless,
    "jpeg": uid.JPEGLosslessSV1,
    "lossy": uid.JPEGExtended12Bit,
    "jpegls": uid.JPEGLSLossless,
    "jpeg2000": uid.JPEG2000Lossless,
    "htj2k": uid.HTJ2KLossless,
}


def blood() -> LabelMap:
    """A block of three subtypes."""
    voxels = np.zeros(SMALL.shape, np.uint8)
    voxels[14:20, 14:22, 5:8], voxels[22:25, 14:17, 6], voxels[9:12, 17:20, 8] = (
        Subtype.IPH,
        Subtype.IVH,
        Subtype.SDH,
    )
    return LabelMap(voxels, SMALL, Subtype)


def write_seeds(folder: Path) -> Path:
    """Write all of them, once."""
    if (folder / "whole").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    plain = series(folder / "dicom" / "plain", SMALL)
    for name, syntax in list(SYNTAXES.items())[1:]:
        transcode_folder(plain, syntax, folder / "dicom" / name)
    (folder / "enhanced").mkdir()
    multi_frame(folder / "enhanced" / "enhanced.dcm", SMALL)
    _write_images(folder, plain)
    _write_records(folder)
    _write_bundle(folder / "bundle")
    (folder / "whole").touch()
    return folder


def _write_images(folder: Path, plain: Path) -> None:
    for name in ("ct.nii", "ct.nii.gz"):
        write_nifti(folder / "nifti" / name, phantom(SMALL))
    for name in ("ich.nii", "ich.nii.gz"):
        write_nifti(folder / "mask" / name, blood())
    (folder / "zip").mkdir()
    for name, method in {"plain": 0, "deflate": 8, "bzip2": 12, "lzma": 14}.items():
        with zipfile.ZipFile(folder / "zip" / f"{name}.zip", "w", method) as archive:
            for path in files(plain):
                archive.write(path, f"study/{path.name}")
    write_seg_nrrd(folder / "nrrd" / "ich.seg.nrrd", blood())
    (folder / "seg").mkdir()
    scan = read_ct(plain)
    for encoding in ("BINARY", "LABELMAP"):
        write_seg(folder / "seg" / f"{encoding}.dcm", scan, blood(), encoding=encoding)
    d = pydicom.dcmread(folder / "seg" / "LABELMAP.dcm")
    d.compress(uid.RLELossless, generate_instance_uid=False)
    d.save_as(folder / "seg" / "rle.dcm")


def _write_records(folder: Path) -> None:
    exam = measure_exam(blood(), ct=phantom(SMALL), anatomy=anatomy(SMALL, shift_mm=4.0))
    settings = {"study_digest": "digest"}
    provenance = Provenance(
        versions=installed_versions(),
        weights={},
        status="",
        settings=settings,
        seconds={"read": 1.0},
    )
    (folder / "analysis").mkdir()
    warnings = (Notice("LOSSY", "Pixels were compressed with loss."),)
    write_tables(
        exam, folder / "analysis", case_id="case_1", warnings=warnings, provenance=provenance
    )
    (folder / "analysis" / "provenance.json").write_text(json.dumps({"settings": settings}))

    (folder / "manifest").mkdir()
    cases = []
    for n in range(3):
        scan = write_scan(folder / "manifest" / f"ct{n}.nii.gz", n)
        mask = write_mask(folder / "manifest" / f"mask{n}.nii.gz", 2, 3)
        split = ("training", "validation", "test")[n]
        labels = ((), None, ("IPH",), ("IPH", "IVH"))
        exam_labels = {"IPH": 1, "any": 1, "SDH": 0}
        cases.append(
            Case(
                f"case_{n}",
                split,
                (scan,),
                mask,
                site="a",
                exam_labels=exam_labels,
                slice_labels=labels,
            )
        )
    write_manifest(
        folder / "manifest" / "dataset.json", Manifest("fuzz", tuple(cases), description="seeds")
    )

    one = Calibrator(0.5, (1.0, 2.0), (-1.0, 2.0), (0.0, 3.0), 100, 30)
    of = dict.fromkeys([*Subtype.__members__, "any"], one)
    shift = ShiftCalibrator("1" * 64, (-2.0, 3.0), 60, SHIFT)
    calibration = Calibration("0" * 64, "seeds", of, shift)
    (folder / "calibration").mkdir()
    (folder / "calibration" / "operating_points.json").write_text(json.dumps(calibration.as_dict()))


def _write_bundle(folder: Path) -> None:
    shutil.copytree(find_bundle("head_ct_anatomy") / "configs", folder / "configs")
    (folder / "models").mkdir()
    (folder / "models" / "model.pt").write_bytes(b"no weights")
    (folder / "scan.nii.gz").write_bytes(b"no scan")
