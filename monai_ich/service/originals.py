"""Images as they came, byte for byte, on disk before anybody says so.

A file's name is made of hashes of its UID and of its content, so two writers never meet under one
name with different bytes, and no identifier stands in it.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from monai_ich.core.provenance import MAKER
from monai_ich.dicom.instance import CT_CLASSES, require_bounded
from monai_ich.io.publish import sync_file, sync_folder
from monai_ich.io.quiet import quiet
from monai_ich.service.crash import crash_point
from monai_ich.service.settings import Settings

_PREAMBLE, _LENGTH_ELEMENT, _UNDEFINED = 132, 12, 0xFFFFFFFF
_PIXELS = Tag("PixelData")
_UID = re.compile(r"[0-9.]{1,64}")
_COUNTS = ("ImagesInAcquisition", "NumberOfSeriesRelatedInstances")


@dataclass(frozen=True)
class Header:
    """What admission needs of an image. `name` to `birth_date` go into the identity table alone.

    Args:
        is_image: whether it has pixels.
        is_ours: whether this toolkit made it.
        announced: number of images that belong together, where the header says so; else 0.
    """

    sop_class: str
    sop_uid: str
    series_uid: str
    study_uid: str
    is_image: bool
    is_ours: bool
    announced: int
    name: str
    patient_id: str
    accession: str
    birth_date: str


def read_header(path: Path) -> Header | None:
    """What a file says; None where it is no DICOM object with its UIDs, or ends before its last
    pixel: once kept, the whole image of this UID would be refused as another one.
    """
    try:
        with path.open("rb") as stream:
            require_bounded(path, stream.read(_PREAMBLE))
        with quiet("pydicom"):
            found = pydicom.dcmread(path, force=True, defer_size=1024)
            return _header(found) if _is_whole(found, path) else None
    except Exception:  # a broken header fails in many ways, and none may end the receiver
        return None


def _header(found: Dataset) -> Header | None:
    uids = [str(found.get(f"{what}InstanceUID") or "") for what in ("SOP", "Series", "Study")]
    if not all(_UID.fullmatch(uid) for uid in uids):
        return None
    counts = [int(found.get(n)) for n in _COUNTS if str(found.get(n) or "").isdecimal()]
    return Header(
        sop_class=str(found.get("SOPClassUID", "")),
        sop_uid=uids[0],
        series_uid=uids[1],
        study_uid=uids[2],
        is_image="Rows" in found and _PIXELS in found,
        is_ours=found.get("SOPClassUID") not in CT_CLASSES
        and str(found.get("Manufacturer", "")) == MAKER
        and str(found.get("ManufacturerModelName", "")) == MAKER,
        announced=max(counts, default=0),
        name=_text(found, "PatientName"),
        patient_id=_text(found, "PatientID"),
        accession=_text(found, "AccessionNumber"),
        birth_date=_text(found, "PatientBirthDate"),
    )


def _is_whole(found: Dataset, path: Path) -> bool:
    """Whether the pixels are there to the last one; compressed ones to their end mark, without
    which pydicom finds none.
    """
    pixels = found.get_item(_PIXELS) if _PIXELS in found else None
    syntax = getattr(found.file_meta, "TransferSyntaxUID", None)
    if not isinstance(pixels, RawDataElement) or syntax == DeflatedExplicitVRLittleEndian:
        return True
    if pixels.length == _UNDEFINED:
        return True
    numbers = [int(found.get(n) or 1) for n in ("Rows", "Columns", "NumberOfFrames")]
    is_gray = int(found.get("SamplesPerPixel") or 1) == 1
    bits = int(found.get("BitsAllocated") or 0) * is_gray  # of color, some are shared by pixels
    ends = pixels.value_tell + pixels.length
    return ends <= path.stat().st_size and pixels.length >= math.prod(numbers) * bits // 8


def _text(found: Dataset, name: str) -> str:
    """As a database takes it: PostgreSQL knows no NUL, no text but UTF-8."""
    said = str(found.get(name) or "").replace("\0", "")
    return said.encode("utf-8", "replace").decode("utf-8")


def content_sha256(path: Path) -> str:
    """Of the data set: what stands before it says who sent it, and differs from sender to
    sender.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        start = stream.read(_PREAMBLE + _LENGTH_ELEMENT)
        after = 0
        if start[128:132] == b"DICM" and start[132:136] == b"\x02\x00\x00\x00":
            after = len(start) + int.from_bytes(start[140:144], "little")
            meta = pydicom.filereader.read_file_meta_info(path)
            digest.update(str(meta.get("TransferSyntaxUID", "")).encode())
        stream.seek(after)
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def keep(settings: Settings, path: Path, sop_uid: str, sha256: str, *, mark: str = "") -> str:
    """Have a file in `originals`, whole and on disk; the name below the data folder.

    Args:
        settings: of the service.
        path: on the same disk.
        sop_uid, sha256: make its name.
        mark: tells it from an earlier file of these bytes, which is being removed.
    """
    uid = hashlib.sha256(sop_uid.encode()).hexdigest()
    name = f"originals/{uid[:2]}/{uid[:24]}_{sha256[:24]}{mark}.dcm"
    final = settings.data / name
    crash_point("half_file")
    sync_file(path)
    if not final.parent.is_dir():
        final.parent.mkdir(exist_ok=True)
        sync_folder(final.parent.parent)
    try:
        os.link(path, final)
    except FileExistsError:  # the same bytes: names are hashes of them
        os.utime(final)  # no orphan any more
    sync_folder(final.parent)
    return name


def has_room(settings: Settings) -> bool:
    """Whether free disk is above the reserve."""
    disk = shutil.disk_usage(settings.data)
    reserve = min(settings.reserve_bytes, int(settings.reserve_share * disk.total))
    return disk.free > reserve
