"""Three synthetic studies that the service sends itself, so that a newcomer sees a worklist."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pydicom
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from monai_ich.core.labels import Subtype
from monai_ich.service.settings import Settings

_LOG = logging.getLogger(__name__)
_STUDIES: tuple[tuple[int, Mapping[Subtype, float], float], ...] = (
    (2042, {Subtype.SDH: 60.0, Subtype.IPH: 30.0}, 8.0),
    (2051, {}, 0.0),
    (2063, {Subtype.IPH: 18.0}, 2.0),
)
_PATIENCE_S = 120.0


def start_demo(settings: Settings) -> None:
    """Make and send them in a process beside the service."""
    maker = multiprocessing.get_context("spawn").Process(
        target=send_demo, args=(settings,), daemon=True
    )
    maker.start()


def send_demo(settings: Settings) -> None:
    """Make each study, send it once the receiver answers."""
    from monai_ich.synth.dataset import design_case, write_case

    folder = settings.data / "demo"
    for number, (seed, blood, shift_mm) in enumerate(_STUDIES, start=1):
        case = design_case(
            seed, hemorrhages=dict(blood), shift_mm=shift_mm, pixels=256, tilt_deg=0, thickness_mm=5
        )
        write_case(case, folder / f"{number}", dicom=True)
        send_folder(settings, folder / f"{number}" / "dicom")
    shutil.rmtree(folder, ignore_errors=True)


def send_folder(settings: Settings, folder: Path) -> None:
    """C-STORE every image of a folder to the service."""
    entity = AE(ae_title="DEMO")
    entity.add_requested_context(CTImageStorage)
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        link = entity.associate(
            settings.dicom_host, settings.dicom_port, ae_title=settings.ae_title
        )
        if link.is_established:
            for path in sorted(folder.rglob("*.dcm")):
                link.send_c_store(pydicom.dcmread(path))
            link.release()
            return
        time.sleep(0.5)
    _LOG.error("the receiver did not answer: the demo's studies were not sent")
