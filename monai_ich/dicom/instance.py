"""The header of one CT image, classic or one frame of a multi-frame object, as geometry and choice
need it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    LegacyConvertedEnhancedCTImageStorage,
)

from monai_ich.dicom.words import names_agent
from monai_ich.io.limits import require_inflated

CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
_MOST_INFLATED_BYTES = 600 << 20  # a multi-frame object of 1,000 slices
_ALWAYS_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)

# Where multi-frame objects keep what classic images hold at the top (PS3.3 C.7.6.16 and C.8.15.3).
_GROUPS = {
    "ImageType": ("CTImageFrameTypeSequence", "FrameType"),
    "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness"),
    "SpacingBetweenSlices": ("PixelMeasuresSequence", "SpacingBetweenSlices"),
    "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
    "ImagePositionPatient": ("PlanePositionSequence", "ImagePositionPatient"),
    "RescaleSlope": ("PixelValueTransformationSequence", "RescaleSlope"),
    "RescaleIntercept": ("PixelValueTransformationSequence", "RescaleIntercept"),
    "RescaleType": ("PixelValueTransformationSequence", "RescaleType"),
    "GantryDetectorTilt": ("CTAcquisitionDetailsSequence", "GantryDetectorTilt"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "AcquisitionTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
}
_COUNTS = ("ImagesInAcquisition", "NumberOfSeriesRelatedInstances", "NumberOfSlices")
_TEXTS = ("SeriesDescription", "ProtocolName", "StudyDescription")
_TOP = [
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "InstanceNumber",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "LossyImageCompression",
    "BodyPartExamined",
    "Manufacturer",
    "AnatomicRegionSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
_WANTED = [*_TOP, *_GROUPS, *_COUNTS, *_TEXTS]  # nothing that names a patient is ever loaded


class DamagedFile(Exception):
    """A DICOM file whose header cannot be read to its end.

    Args:
        sop_class: what it is; empty where that is lost.
        series_uid: of the series it belongs to; empty where that is lost.
    """

    def __init__(self, sop_class: str, series_uid: str) -> None:
        super().__init__(sop_class, series_uid)
        self.sop_class, self.series_uid = sop_class, series_uid


@dataclass(frozen=True)
class Instance:
    """One image. Positions in LPS mm, spacing as [between rows, between columns], text in capitals.

    Args:
        frame: index within a multi-frame object; None for a classic image.
        announced: the largest number of images that the header says belong together; None where it
            does not say.
        between_mm: distance of slices that the header states; None where it states none.
        rescale: slope and intercept to HU; None where either is missing.
    """

    path: Path
    frame: int | None
    sop_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference: str
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    number: int | None
    announced: int | None
    acquisition: str
    time: str
    rows: int
    columns: int
    samples: int
    spacing: tuple[float, ...]
    orientation: tuple[float, ...]
    position: tuple[float, ...]
    thickness_mm: float | None
    between_mm: float | None
    tilt_deg: float | None
    rescale: tuple[float, float] | None
    rescale_type: str
    text: str
    kernel: str
    manufacturer: str
    body_part: str
    contrast: bool
    lossy: bool


def open_dicom(path: Path, *, header_only: bool) -> Any | None:
    """The data set, or None where the file is no DICOM. Files without the 128-byte preamble are
    DICOM too.
    """
    with path.open("rb") as stream:
        start = stream.read(132)
    if start[128:] != b"DICM" and start[:2] not in (b"\x08\x00", b"\x02\x00", b"\x00\x08"):
        return None
    wanted = _WANTED if header_only else None
    require_bounded(path, start)
    image = pydicom.dcmread(path, stop_before_pixels=header_only, specific_tags=wanted, force=True)
    if "TransferSyntaxUID" not in image.file_meta:
        implicit, little = image.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return image if start[128:] == b"DICM" or "SOPClassUID" in image else None


def require_bounded(path: Path, start: bytes) -> None:
    """Refuse a deflated file that would unpack to more than any image: pydicom unpacks all of it at
    once.

    Args:
        path: the file.
        start: its first 132 bytes.

    Raises:
        InputError: ``TOO_LARGE``.
        EOFError: where it cannot be unpacked.
    """
    if start[128:] != b"DICM":
        return
    meta = pydicom.filereader.read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    with path.open("rb") as stream:
        stream.seek(
            144 + int(meta.FileMetaInformationGroupLength)
        )  # preamble, DICM, and the element of the length
        try:
            require_inflated(stream, _MOST_INFLATED_BYTES, wbits=-zlib.MAX_WBITS)
        except zlib.error as error:
            raise EOFError from error


def read_instances(path: Path) -> list[Instance]:
    """The images of one file: none where it is no DICOM image, several where it is multi-frame.

    Raises:
        DamagedFile: for DICOM that ends early or holds values of the wrong kind.
    """
    sop_class = series_uid = ""
    try:
        header = open_dicom(path, header_only=True)
        if header is None:
            return []
        sop_class = str(
            header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or ""
        )
        series_uid = str(header.get("SeriesInstanceUID", ""))
        if "Rows" not in header:
            if sop_class and sop_class not in CT_CLASSES:
                return []
            raise EOFError
        shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
        frames = header.get("PerFrameFunctionalGroupsSequence") or []
        if not frames:
            return [_instance(path, header, None, _finder(header))]
        return [
            _instance(path, header, n, _finder(header, own, shared)) for n, own in enumerate(frames)
        ]
    except Exception as error:  # a broken header fails in many ways; none of them may stop the walk
        raise DamagedFile(sop_class, series_uid) from error


def is_same_image(image: Any, instance: Instance) -> bool:
    """Whether a data set that was opened again still says what its header said when the series was
    chosen.

    Files can be exchanged in between, by a transfer that goes on or by another process: another
    patient's image would lie in the volume. Everything that was read then is compared, UIDs first
    of all.
    """
    if image is None:
        return False
    shared = (image.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames = image.get("PerFrameFunctionalGroupsSequence") or []
    if bool(frames) != (instance.frame is not None) or (
        frames and instance.frame not in range(len(frames))
    ):
        return False
    groups = (frames[instance.frame], shared) if instance.frame is not None else ()
    found = _instance(instance.path, image, instance.frame, _finder(image, *groups))
    return repr(found) == repr(instance)  # equality would fail where a header holds NaN


def _finder(header: Any, *groups: Any) -> Callable[[str], Any]:
    """Look a value up in the frame's own groups, then in the shared ones, then at the top."""

    def find(name: str) -> Any:
        sequence, inner = _GROUPS[name]
        for group in groups:
            found = group.get(sequence) if group is not None else None
            if found and found[0].get(inner) not in (None, ""):
                return found[0].get(inner)
        value = header.get(name)
        return None if value == "" else value

    return find


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in value) if value is not None else ()


def _number(value: Any) -> float | None:
    return float(value) if value not in (None, "") else None


def _said(value: Any) -> float | None:
    """A number that nothing depends on: text in its place, or a decimal comma, damages no image."""
    try:
        number = float(str(value).replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _words(value: Any) -> str:
    return (
        " ".join(str(v) for v in value)
        if isinstance(value, (list, pydicom.multival.MultiValue))
        else str(value or "")
    ).upper()


def _instance(path: Path, header: Any, frame: int | None, find: Callable[[str], Any]) -> Instance:
    slope, intercept = _number(find("RescaleSlope")), _number(find("RescaleIntercept"))
    usable = (
        slope is not None
        and intercept is not None
        and math.isfinite(slope)
        and math.isfinite(intercept)
        and slope
    )
    counts = [int(header.get(n)) for n in _COUNTS if header.get(n) not in (None, "")]
    region = header.get("AnatomicRegionSequence")
    agent = _words(header.get("ContrastBolusAgent")).strip()
    return Instance(
        path=path,
        frame=frame,
        sop_uid=str(header.get("SOPInstanceUID", "")),
        study_uid=str(header.get("StudyInstanceUID", "")),
        series_uid=str(header.get("SeriesInstanceUID", "")),
        frame_of_reference=str(header.get("FrameOfReferenceUID", "")),
        sop_class=str(header.get("SOPClassUID", "")),
        modality=_words(header.get("Modality")),
        image_type=tuple(str(v).upper() for v in (find("ImageType") or ())),
        number=int(header.InstanceNumber)
        if frame is None and header.get("InstanceNumber") not in (None, "")
        else None,
        announced=max(counts) if counts and frame is None else None,
        acquisition=str(find("AcquisitionNumber") or ""),
        time=str(find("AcquisitionTime") or ""),
        rows=int(header.Rows),
        columns=int(header.Columns),
        samples=int(header.get("SamplesPerPixel") or 1),
        spacing=_numbers(find("PixelSpacing")),
        orientation=_numbers(find("ImageOrientationPatient")),
        position=_numbers(find("ImagePositionPatient")),
        thickness_mm=_said(find("SliceThickness")),
        between_mm=_said(find("SpacingBetweenSlices")),
        tilt_deg=_said(find("GantryDetectorTilt")),
        rescale=(slope, intercept)
        if usable and slope is not None and intercept is not None
        else None,
        rescale_type=_words(find("RescaleType")).strip(),
        text=" ".join(_words(header.get(n)) for n in _TEXTS),
        kernel=_words(find("ConvolutionKernel")),
        manufacturer=_words(header.get("Manufacturer")),
        body_part=_words(header.get("BodyPartExamined"))
        or _words(region[0].get("CodeMeaning") if region else ""),
        contrast=names_agent(agent) or bool(header.get("ContrastBolusAgentSequence")),
        lossy=str(header.get("LossyImageCompression", "")) == "01"
        or header.file_meta.get("TransferSyntaxUID") in _ALWAYS_LOSSY,
    )
