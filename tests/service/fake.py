"""An analysis of 0.2 s that writes real DICOM objects: so that services can be killed often.

``python -m tests.service.fake PORT FOLDER`` is an archive that keeps what it takes.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

from monai_ich.core.provenance import MAKER
from monai_ich.results.dicom import DICOM_RESULTS
from monai_ich.service.settings import Settings
from monai_ich.service.summary import Finding, Summary

_CLASSES = {"seg": "1.2.840.10008.5.1.4.1.1.66.4", "sr": "1.2.840.10008.5.1.4.1.1.88.34"}
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PACE_S = 0.2


class Fake:
    """Counts what it is given; the same images give the same bytes."""

    key = "fake"

    def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
        time.sleep(PACE_S)
        paths = sorted(images.iterdir())
        uids = sorted(
            str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID) for p in paths
        )
        first = pydicom.dcmread(paths[0], stop_before_pixels=True)
        digest = int(hashlib.sha256("".join(uids).encode()).hexdigest()[:24], 16)
        for number, name in enumerate(DICOM_RESULTS):
            made = Dataset()
            made.file_meta = pydicom.dataset.FileMetaDataset()
            made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            made.SOPClassUID = _CLASSES.get(name[:3].strip("."), _CLASSES.get(name[:2], _CAPTURE))
            made.SOPInstanceUID = f"2.25.{digest}{number}"
            made.SeriesInstanceUID = f"2.25.{digest}9{number}"
            made.StudyInstanceUID = first.StudyInstanceUID
            made.PatientName, made.PatientID = first.PatientName, first.PatientID
            made.Manufacturer = made.ManufacturerModelName = MAKER
            made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
            made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
            pydicom.dcmwrite(folder / name, made, enforce_file_format=True)
        for name in ("report.html", "key_slice.png"):
            (folder / name).write_text(f"<p>{case_id}, {len(paths)} images")
        ml = float(len(paths))
        findings = (Finding("SDH", "found", ml, (ml - 1, ml + 1), 0.9),)
        return Summary("found", f"Hemorrhage found, {ml} mL.", 2, ml, findings=findings)


def load(settings: Settings) -> Fake:
    """For the setting ``pipeline``."""
    return Fake()


def keep(port: int, folder: Path) -> object:
    """A storage provider that writes each object into `folder`, once more for each time it comes;
    a file called ``refuse`` there makes it answer 0xA700.
    """

    def store(event: evt.Event) -> int:
        if (folder / "refuse").exists():
            return 0xA700
        uid = event.request.AffectedSOPInstanceUID
        digest = hashlib.sha256(event.encoded_dataset(include_meta=False)).hexdigest()
        (folder / f"{uid}_{digest[:12]}").touch()
        return 0

    entity = AE(ae_title="ARCHIVE")
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
    return entity.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]
    )


if __name__ == "__main__":
    server = keep(int(sys.argv[1]), Path(sys.argv[2]))
    while True:
        time.sleep(60)
