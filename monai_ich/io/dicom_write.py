"""Write a volume as a classic CT series: for synthetic studies and for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_ich.core.geometry import FloatArray
from monai_ich.core.volume import CTVolume

_INTERCEPT = -1024


def write_ct_series(
    volume: CTVolume,
    folder: Path,
    *,
    seed: int,
    slice_thickness_mm: float,
    gantry_tilt_deg: float = 0.0,
    description: str = "Synthetic head CT",
) -> None:
    """Write one file a slice. The grid may be sheared (gantry tilt); it is flipped, never resampled, so that rows run
    to the patient's left and columns to the back, as viewers expect.

    Args:
        volume: CT in HU.
        folder: made if missing.
        seed: gives the UIDs and the patient's ID; the same seed gives the same files.
        slice_thickness_mm: for the header.
        gantry_tilt_deg: for the header.
        description: SeriesDescription.
    """
    hu, affine = _display_order(volume)
    folder.mkdir(parents=True, exist_ok=True)
    study, series, frame = (generate_uid(entropy_srcs=["monai-ich", str(seed), what]) for what in ("st", "se", "fr"))
    columns, rows, count = hu.shape
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    row, column = affine[:3, 0] / spacing[0], affine[:3, 1] / spacing[1]
    normal = np.cross(row, column)
    for k in range(count):
        d = Dataset()
        d.SOPClassUID = CTImageStorage
        d.SOPInstanceUID = generate_uid(entropy_srcs=["monai-ich", str(seed), "im", str(k)])
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
        d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "SYNTHETIC^HEAD", f"SYNTH-{seed}", "", ""
        d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = "", "", "1", "", ""
        d.Modality, d.Manufacturer, d.SeriesNumber, d.InstanceNumber = "CT", "monai-ich synth", 1, k + 1
        d.AcquisitionNumber, d.PositionReferenceIndicator, d.PatientPosition = 1, "", "HFS"
        d.SeriesDescription, d.BodyPartExamined = description, "HEAD"
        d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.KVP, d.ConvolutionKernel = "120", "SOFT"
        d.SliceThickness = f"{slice_thickness_mm:.6g}"
        d.SpacingBetweenSlices = f"{abs(float(normal @ affine[:3, 2])):.6g}"
        d.GantryDetectorTilt = f"{gantry_tilt_deg:.6g}"
        d.ImagePositionPatient = [f"{v:.9g}" for v in affine[:3, 3] + k * affine[:3, 2]]
        d.ImageOrientationPatient = [f"{v:.9g}" for v in (*row, *column)]
        d.PixelSpacing = [f"{spacing[1]:.9g}", f"{spacing[0]:.9g}"]
        d.SamplesPerPixel, d.PhotometricInterpretation, d.Rows, d.Columns = 1, "MONOCHROME2", rows, columns
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
        d.RescaleIntercept, d.RescaleSlope, d.RescaleType = str(_INTERCEPT), "1", "HU"
        d.WindowCenter, d.WindowWidth = "40", "80"
        stored = np.clip(np.rint(hu[:, :, k].T) - _INTERCEPT, -32768, 32767).astype("<i2")
        d.PixelData = stored.tobytes()
        d["PixelData"].VR = "OW"
        d.file_meta = FileMetaDataset()
        d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
        d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        pydicom.dcmwrite(folder / f"{k + 1:04d}.dcm", d, enforce_file_format=True)


def _display_order(volume: CTVolume) -> tuple[NDArray[np.float32], FloatArray]:
    """Voxels and LPS affine with I to the left, J to the back, K to the top (for a grid near the patient's axes)."""
    hu, affine = volume.hu, volume.geometry.affine_lps.copy()
    for axis in range(3):
        if affine[axis, axis] < 0:
            hu = np.flip(hu, axis)
            affine[:3, 3] += affine[:3, axis] * (hu.shape[axis] - 1)
            affine[:3, axis] *= -1
    return hu, affine
