"""Who a scan belongs to: read only where the user asks for it (``--keep-ids``), never otherwise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import pydicom

from monai_ich.dicom.pixels import require_same_image
from monai_ich.io.quiet import quiet
from monai_ich.io.read import Scan

_TAGS = ["SpecificCharacterSet", "PatientID", "StudyInstanceUID", "SeriesInstanceUID"]


@dataclass(frozen=True)
class Identity:
    """What joins a result to an archive's records; empty where the image does not say.

    Args:
        patient_id: PatientID.
        study_uid, series_uid: UIDs.
    """

    patient_id: str = ""
    study_uid: str = ""
    series_uid: str = ""

    def as_columns(self) -> dict[str, str]:
        """Columns of a table, keys of a JSON record."""
        return asdict(self)


def read_identity(path: Path) -> Identity:
    """From one image of the series. The name and dates are not read: the ID is enough to find
    them.
    """
    with quiet("pydicom"):
        header = pydicom.dcmread(
            path, stop_before_pixels=True, specific_tags=list(_TAGS), force=True
        )
        found = [str(header.get(name) or "") for name in _TAGS[1:]]
    return Identity(found[0], found[1], found[2])


def identity_of(scan: Scan) -> Identity:
    """Of a scan read from DICOM; empty for one read from NIfTI, which holds none.

    Raises:
        SeriesError: ``CHANGED_WHILE_READING`` where the file is of another study or series now.
    """
    source = scan.source
    if source is None:
        return Identity()
    path = source.paths[0]
    found = read_identity(path) if path.is_file() else Identity()
    require_same_image((found.study_uid, found.series_uid) == (source.study_uid, source.series_uid))
    return found
