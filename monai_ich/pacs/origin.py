"""What our DICOM objects come from: the source images, what made them, and UIDs that follow from
both.

Objects go back into the PACS of their source, so they carry the source's patient and study, element
by element as they are there. Nothing else of this module is ever said or logged. Same input,
weights and settings give the same bytes: UIDs are hashes, dates and times are those of the study.

References:
    DICOM PS3.3 C.7.1.1 (patient), C.7.2.1 (study), C.12.1 (SOP common), PS3.5 B.2 (UUID-derived
    UIDs).
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from monai_ich.core.errors import SeriesError
from monai_ich.core.labels import Code
from monai_ich.core.provenance import MAKER, Provenance
from monai_ich.dicom.pixels import require_same_image
from monai_ich.dicom.series import SourceSeries
from monai_ich.io.quiet import quiet

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, MAKER)
_NO_DATE, _NO_TIME = (
    "19000101",
    "000000",
)  # where the study has none: an object must have one, and always the same

_METHODS = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
_IDENTITY = (
    *(
        "SpecificCharacterSet",
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
    ),
    *("PatientAge", "PatientIdentityRemoved", *_METHODS),
    *(
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
        "ReferringPhysicianName",
    ),
    *("StudyDescription", "IssuerOfAccessionNumberSequence", "TimezoneOffsetFromUTC"),
)
_UNWANTED = (  # the clock's, and the scanner's
    *(
        "InstanceCreationDate",
        "InstanceCreationTime",
        "DateOfSecondaryCapture",
        "TimeOfSecondaryCapture",
    ),
    "ContributingEquipmentSequence",
)
_REQUIRED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_IMAGE = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality", "FrameOfReferenceUID"),
    *(
        "PositionReferenceIndicator",
        "Rows",
        "Columns",
        "PixelSpacing",
        "SliceThickness",
        "SpacingBetweenSlices",
    ),
    *("ImagePositionPatient", "ImageOrientationPatient", "NumberOfFrames", "ImageType"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


@dataclass(frozen=True, eq=False)
class Origin:
    """The source images of derived objects.

    Args:
        source: the series, in slice order.
        images: headers without identity: one for each slice, or the single one of a multi-frame
            object.
        identity: elements of the source's patient and study, as they are there.
        provenance: what made the results.
        digest: hash of all that shapes them.
    """

    source: SourceSeries
    images: tuple[Dataset, ...]
    identity: Dataset
    provenance: Provenance
    digest: str

    @property
    def version(self) -> str:
        """Of this toolkit."""
        return self.provenance.versions.get("monai-ich", "unknown")

    @property
    def by_network(self) -> bool:
        """Whether a network made the masks; else they were given."""
        return bool(self.provenance.weights)

    def uid(self, *words: object) -> str:
        """The same words of the same origin give the same UID."""
        return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join([self.digest, *map(str, words)])).int}"

    def arguments(self, what: str, number: int) -> dict[str, Any]:
        """What highdicom wants to know of every object: series `number`, the object's UID,
        equipment.
        """
        by = "AI" if self.by_network else "Given mask:"
        return {
            "series_instance_uid": self.uid("series", what),
            "series_number": number,
            "sop_instance_uid": self.uid("object", what),
            "instance_number": 1,
            "manufacturer": MAKER,
            "manufacturer_model_name": MAKER,
            "software_versions": self.version,
            "device_serial_number": "0",
            "series_description": f"{by} {what} (research only)",
        }

    def write(self, path: Path, made: Dataset) -> None:
        """Give an object its patient, study and dates, and write it.

        Raises:
            SeriesError: ``BAD_SOURCE`` where the source's header holds what DICOM cannot.
        """
        for element in self.identity:
            made[element.tag] = element
        date, time = str(self.identity.StudyDate or ""), str(self.identity.StudyTime or "")
        made.ContentDate = date if re.fullmatch(r"\d{8}", date) else _NO_DATE
        made.ContentTime = time if re.fullmatch(r"\d{6}(\.\d{1,6})?", time) else _NO_TIME
        made.SeriesDate, made.SeriesTime = made.ContentDate, made.ContentTime
        for item in (
            *made.get("DimensionOrganizationSequence", ()),
            *made.get("DimensionIndexSequence", ()),
        ):
            item.DimensionOrganizationUID = self.uid(
                "dimensions", made.SOPInstanceUID
            )  # highdicom's is random
        for name in _UNWANTED:
            if name in made:
                delattr(made, name)
        with quiet("pydicom"), usable_source():
            pydicom.dcmwrite(path, made, enforce_file_format=True)


def read_origin(source: SourceSeries, provenance: Provenance, *made_of: bytes) -> Origin:
    """Read the headers of the source images.

    Args:
        source: from `read_series`.
        provenance: weights and settings are part of every UID.
        made_of: what else is: the bytes of masks and numbers, so that two results never share a
            UID.

    Raises:
        SeriesError: ``BAD_SOURCE`` where the series has no frame of reference;
            ``CHANGED_WHILE_READING`` where a file is not that of the image any more: results would
            carry another patient.
    """
    if not source.frame_of_reference_uid:
        raise SeriesError(
            "BAD_SOURCE",
            "DICOM results need a source with a FrameOfReferenceUID, this one has none.",
        )
    with quiet("pydicom"):
        paths = list(dict.fromkeys(source.paths))
        headers = [_header(path) for path in paths]
        uids = dict(zip(source.paths, source.sop_uids, strict=True))
        for path, header in zip(paths, headers, strict=True):
            require_same_image(_uids(header) == (source.study_uid, source.series_uid, uids[path]))
        identity = Dataset()
        for name in _IDENTITY:
            if headers[0].get(name):
                identity.add(headers[0][name])
        for name in _REQUIRED:
            if name not in identity:
                setattr(identity, name, "")
        if identity.get("PatientIdentityRemoved") == "YES" and not set(_METHODS) & set(
            identity.dir()
        ):
            identity.DeidentificationMethod = "Not stated by the source"
    for header in headers:
        for name in _IDENTITY:
            if name in header and name != "StudyInstanceUID":
                delattr(header, name)
        for name in _REQUIRED:
            setattr(header, name, "")
    settings = json.dumps(
        [
            source.sop_uids,
            provenance.versions.get("monai-ich"),
            provenance.weights,
            provenance.settings,
        ],
        sort_keys=True,
        default=str,
    )
    digest = hashlib.sha256(b"\0".join([settings.encode(), *made_of])).hexdigest()
    return Origin(source, tuple(headers), identity, provenance, digest)


def _header(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(
            path, stop_before_pixels=True, specific_tags=[*_IMAGE, *_IDENTITY], force=True
        )
    except FileNotFoundError:
        return Dataset()


def _uids(header: Dataset) -> tuple[str, ...]:
    return tuple(str(header.get(f"{what}InstanceUID", "")) for what in ("Study", "Series", "SOP"))


@contextmanager
def usable_source() -> Iterator[None]:
    """What highdicom and pydicom refuse in a source's header is our refusal, without its values.

    Raises:
        SeriesError: ``BAD_SOURCE``.
    """
    try:
        yield
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise SeriesError(
            "BAD_SOURCE",
            "No DICOM object can refer to this series: its header is not valid "
            f"({type(error).__name__}).",
        ) from error


def coded(code: Code) -> CodedConcept:
    """Our code as highdicom holds it."""
    return CodedConcept(code.value, code.scheme, code.meaning)
