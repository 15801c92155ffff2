"""Write a volume as a classic CT series: for synthetic studies and for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from monai_ich.core.geometry import FloatArray
from monai_ich.core.volume import AIR_HU, CTVolume
from monai_ich.dicom.geometry import signed_tilt_deg

_INTERCEPT = -1024


def write_ct_series(
    volume: CTVolume,
    folder: Path,
    *,
    seed: int,
    slice_thickness_mm: float,
    gantry_tilt_deg: float | None = None,
    description: str = "Synthetic head CT",
    padding: int | None = None,
) -> None:
    """Write one file a slice, signed 16 bit with intercept -1024.

    The grid may be sheared (gantry tilt); it is flipped, never resampled, so that rows run to the
    patient's left and columns to the back, as viewers expect.

    Args:
        volume: CT in HU; rounded to whole HU.
        folder: made if missing.
        seed: gives the UIDs and the patient's ID; the same seed gives the same files.
        slice_thickness_mm: for the header.
        gantry_tilt_deg: for the header; by default what the grid says.
        description: SeriesDescription.
        padding: stored value to put where the volume holds exactly -1024, announced as
            PixelPaddingValue, as scanners mark what lies outside their circle; by default nothing
            is marked.
    """
    hu, affine = _display_order(volume)
    folder.mkdir(parents=True, exist_ok=True)
    tilt_deg = signed_tilt_deg(affine) if gantry_tilt_deg is None else gantry_tilt_deg
    for k in range(hu.shape[2]):
        d = _described(seed, k, description)
        _place(d, affine, k)
        d.SliceThickness, d.GantryDetectorTilt = f"{slice_thickness_mm:.6g}", f"{tilt_deg:.6g}"
        _fill(d, hu[:, :, k].T, padding)
        pydicom.dcmwrite(folder / f"{k + 1:04d}.dcm", d, enforce_file_format=True)


def _described(seed: int, k: int, description: str) -> Dataset:
    study, series, frame = (
        generate_uid(entropy_srcs=["monai-ich", str(seed), what]) for what in ("st", "se", "fr")
    )
    d = Dataset()
    d.SOPClassUID = CTImageStorage
    d.SOPInstanceUID = generate_uid(entropy_srcs=["monai-ich", str(seed), "im", str(k)])
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = (
        "SYNTHETIC^HEAD",
        f"SYNTH-{seed}",
        "",
        "",
    )
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = (
        "",
        "",
        "1",
        "",
        "",
    )
    d.Modality, d.Manufacturer, d.SeriesNumber, d.InstanceNumber = "CT", "monai-ich synth", 1, k + 1
    d.AcquisitionNumber, d.PositionReferenceIndicator, d.PatientPosition = 1, "", "HFS"
    d.StudyDescription, d.SeriesDescription, d.BodyPartExamined = "CT HEAD", description, "HEAD"
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    d.KVP, d.ConvolutionKernel, d.BurnedInAnnotation, d.LossyImageCompression = (
        "120",
        "SOFT",
        "NO",
        "00",
    )
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID, d.file_meta.MediaStorageSOPInstanceUID = (
        d.SOPClassUID,
        d.SOPInstanceUID,
    )
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return d


def _place(d: Dataset, affine: FloatArray, k: int) -> None:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    row, column = affine[:3, 0] / spacing[0], affine[:3, 1] / spacing[1]
    d.ImagePositionPatient = [f"{v:.9g}" for v in affine[:3, 3] + k * affine[:3, 2]]
    d.ImageOrientationPatient = [f"{v:.9g}" for v in (*row, *column)]
    d.PixelSpacing = [f"{spacing[1]:.9g}", f"{spacing[0]:.9g}"]
    d.SpacingBetweenSlices = f"{abs(float(np.cross(row, column) @ affine[:3, 2])):.6g}"


def _fill(d: Dataset, hu: NDArray[np.float32], padding: int | None) -> None:
    d.SamplesPerPixel, d.PhotometricInterpretation, d.Rows, d.Columns = 1, "MONOCHROME2", *hu.shape
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = str(_INTERCEPT), "1", "HU"
    d.WindowCenter, d.WindowWidth = "40", "80"
    stored = np.clip(np.rint(hu) - _INTERCEPT, -32768, 32767).astype("<i2")
    if padding is not None:
        stored[hu == AIR_HU] = padding
        d.add_new("PixelPaddingValue", "SS", padding)
    d.PixelData = stored.tobytes()
    d["PixelData"].VR = "OW"


def _display_order(volume: CTVolume) -> tuple[NDArray[np.float32], FloatArray]:
    """Voxels and LPS affine with I to the left, J to the back, K to the top (for a grid near the
    patient's axes).

    On a grid far from them (decubitus, sagittal) an axis may stay as it is: any orientation is
    legal DICOM.
    """
    hu, affine = volume.hu, volume.geometry.affine_lps.copy()
    for axis in range(3):
        if affine[axis, axis] < 0:
            hu = np.flip(hu, axis)
            affine[:3, 3] += affine[:3, axis] * (hu.shape[axis] - 1)
            affine[:3, axis] *= -1
    return hu, affine
