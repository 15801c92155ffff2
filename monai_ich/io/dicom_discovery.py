"""Find the DICOM series in a folder, a zip or a DICOMDIR, by content; rank them with reasons."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import CTImageStorage, LegacyConvertedEnhancedCTImageStorage

from monai_ich.core.errors import InputError, SeriesError

_MAX_FILES = 20_000
_MAX_BYTES = 8 << 30
_MAX_RATIO = 100
_MIN_SLICES = 3
_MIN_COVERAGE_MM = 80.0
_HEAD = ("HEAD", "BRAIN", "SKULL", "CRAN", "NEURO", "CEREB", "SCHAEDEL", "KOPF", "TETE")
_BONE = ("BONE", "SHARP", "EDGE", "KNOCHEN")


@dataclass(frozen=True)
class Instance:
    """Header of one classic image, what geometry and choice need. Positions in LPS mm, spacing [rows, columns]."""

    path: Path
    sop_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference: str
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    number: int | None
    rows: int
    columns: int
    spacing: tuple[float, ...]
    orientation: tuple[float, ...]
    position: tuple[float, ...]
    thickness_mm: float | None
    tilt_deg: float | None
    text: str
    kernel: str
    contrast: bool
    lossy: bool
    body_part: str


@dataclass(frozen=True)
class Candidate:
    """One series, or one part of a series that holds several geometries.

    Args:
        series_uid: SeriesInstanceUID.
        instances: its images, in no order.
        refused: code why it cannot be taken; None where it can.
        reasons: what speaks for and against it, in words.
        score: higher is better.
    """

    series_uid: str
    instances: tuple[Instance, ...]
    refused: str | None
    reasons: tuple[str, ...]
    score: float

    def describe(self) -> str:
        """One line without patient data."""
        state = f"refused ({self.refused})" if self.refused else f"score {self.score:.1f}"
        return f"series ...{self.series_uid[-12:]}: {len(self.instances)} images, {state}: {'; '.join(self.reasons)}"


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The folder to look into: the path itself, the folder of a DICOMDIR, or a zip unpacked for a while.

    Raises:
        InputError: ``INPUT_NOT_FOUND``.
        SeriesError: ``UNSAFE_ARCHIVE``.
    """
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", f"The input {path} does not exist.")
    if path.is_file() and zipfile.is_zipfile(path):
        folder = Path(tempfile.mkdtemp(prefix="monai-ich-"))
        try:
            _unpack(path, folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    elif path.is_file() and path.name.upper() == "DICOMDIR":
        yield path.parent
    else:
        yield path


def _unpack(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        total = sum(m.file_size for m in members)
        if len(members) > _MAX_FILES or total > _MAX_BYTES:
            raise SeriesError("UNSAFE_ARCHIVE", "The archive would unpack to more files or bytes than a study has.")
        for number, member in enumerate(members):
            outside = member.filename.startswith(("/", "\\")) or ".." in Path(member.filename).parts
            link = stat.S_ISLNK(member.external_attr >> 16)
            bomb = member.file_size > (1 << 20) and member.file_size > _MAX_RATIO * max(1, member.compress_size)
            if outside or link or bomb or ":" in member.filename:
                raise SeriesError("UNSAFE_ARCHIVE", "The archive holds a link, a path that leaves it, or a bomb.")
            try:
                with archive.open(member) as source, (folder / f"{number:06d}").open("wb") as target:
                    shutil.copyfileobj(source, target)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
                raise SeriesError("UNSAFE_ARCHIVE", "The archive is damaged or encrypted.") from error


def find_instances(root: Path) -> tuple[list[Instance], int]:
    """Every DICOM image below `root` (links are not followed) and the number of other files."""
    found, others = [], 0
    for path in _files(root):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            if "SOPClassUID" not in header or "Rows" not in header:
                others += 1
                continue
            found.append(_instance(path, header))
        except (InvalidDicomError, OSError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            others += 1
    return found, others


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, _, names in os.walk(root, followlinks=False):
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink() and name.upper() != "DICOMDIR":
                yield path


def _instance(path: Path, h: Any) -> Instance:
    def numbers(name: str) -> tuple[float, ...]:
        value = h.get(name)
        return tuple(float(v) for v in value) if value is not None else ()

    def one(name: str) -> float | None:
        value = h.get(name)
        return float(value) if value not in (None, "") else None

    words = (h.get(n, "") for n in ("SeriesDescription", "ProtocolName", "StudyDescription"))
    return Instance(
        path=path,
        sop_uid=str(h.get("SOPInstanceUID", "")),
        study_uid=str(h.get("StudyInstanceUID", "")),
        series_uid=str(h.get("SeriesInstanceUID", "")),
        frame_of_reference=str(h.get("FrameOfReferenceUID", "")),
        sop_class=str(h.SOPClassUID),
        modality=str(h.get("Modality", "")),
        image_type=tuple(str(v).upper() for v in (h.get("ImageType") or ())),
        number=int(h.InstanceNumber) if h.get("InstanceNumber") not in (None, "") else None,
        rows=int(h.Rows),
        columns=int(h.Columns),
        spacing=numbers("PixelSpacing"),
        orientation=numbers("ImageOrientationPatient"),
        position=numbers("ImagePositionPatient"),
        thickness_mm=one("SliceThickness"),
        tilt_deg=one("GantryDetectorTilt"),
        text=" ".join(str(w) for w in words).upper(),
        kernel=str(h.get("ConvolutionKernel", "")).upper(),
        contrast=bool(str(h.get("ContrastBolusAgent", "")).strip()),
        lossy=str(h.get("LossyImageCompression", "")) == "01",
        body_part=str(h.get("BodyPartExamined", "")).upper(),
    )


def rank_series(instances: list[Instance]) -> list[Candidate]:
    """Group images into series, split what cannot be one volume, judge each; best first."""
    groups: dict[tuple[Any, ...], list[Instance]] = defaultdict(list)
    for i in instances:
        shape = (i.rows, i.columns, tuple(round(s, 4) for s in i.spacing), "LOCALIZER" in i.image_type)
        axes = tuple(round(o, 3) + 0.0 for o in i.orientation)
        groups[(i.study_uid, i.series_uid, axes, shape, i.frame_of_reference, i.sop_class)].append(i)
    return sorted((_judge(tuple(g)) for g in groups.values()), key=lambda c: (c.refused is not None, -c.score))


def _judge(group: tuple[Instance, ...]) -> Candidate:
    first = group[0]
    refused, reasons = _refusal(group)
    score = 0.0

    def say(points: float, word: str) -> None:
        nonlocal score
        score += points
        reasons.append(word)

    text = f"{first.text} {first.body_part}"
    if any(word in text for word in _HEAD):
        say(4, "head")
    if first.image_type[:2] == ("ORIGINAL", "PRIMARY"):
        say(3, "original")
    if "AXIAL" in first.image_type:
        say(1, "axial")
    if first.contrast:
        say(-3, "contrast")
    if any(word in f"{first.kernel} {first.text}" for word in _BONE):
        say(-2, f"bone kernel {first.kernel}".strip())
    if first.thickness_mm:
        say(-0.1 * min(first.thickness_mm, 10.0), f"{first.thickness_mm:g} mm slices")
    coverage = _coverage_mm(group)
    if coverage:
        say(0.005 * min(coverage, 180.0), f"covers {coverage:.0f} mm")
    return Candidate(first.series_uid, group, refused, tuple(reasons), score)


def _refusal(group: tuple[Instance, ...]) -> tuple[str | None, list[str]]:
    first = group[0]
    if first.modality != "CT":
        return "NO_CT_SERIES", [f"modality {first.modality or 'missing'}, not CT"]
    if "LOCALIZER" in first.image_type:
        return "LOCALIZER_ONLY", ["a localizer"]
    if first.sop_class not in (CTImageStorage, LegacyConvertedEnhancedCTImageStorage):
        return "UNSUPPORTED_SOP_CLASS", [
            "not a classic CT image (enhanced multi-frame, secondary capture, dose screen)"
        ]
    if first.sop_class == LegacyConvertedEnhancedCTImageStorage:
        return "UNSUPPORTED_SOP_CLASS", ["multi-frame CT"]
    if any(len(i.position) != 3 or len(i.orientation) != 6 or len(i.spacing) != 2 for i in group):
        return "MISSING_POSITION", ["an image has no position, orientation or pixel spacing"]
    if not np.isfinite([(*i.position, *i.orientation, *i.spacing) for i in group]).all():
        return "NON_FINITE_GEOMETRY", ["a position or orientation is not a number"]
    if len(group) < _MIN_SLICES:
        return "TOO_FEW_SLICES", [f"{len(group)} images, at least {_MIN_SLICES} are needed"]
    coverage = _coverage_mm(group)
    if coverage < 0.01:
        return "DUPLICATE_POSITION", ["all images lie at one position"]
    if coverage < _MIN_COVERAGE_MM:
        return "INSUFFICIENT_COVERAGE", [f"covers {coverage:.0f} mm, a head needs {_MIN_COVERAGE_MM:.0f}"]
    return None, []


def _coverage_mm(group: tuple[Instance, ...]) -> float:
    if any(len(i.position) != 3 or len(i.orientation) != 6 for i in group):
        return 0.0
    normal = np.cross(group[0].orientation[:3], group[0].orientation[3:])
    along = np.array([i.position for i in group]) @ normal
    return float(np.ptp(along))


def choose_series(candidates: list[Candidate], series_uid: str | None, others: int) -> Candidate:
    """The series to take: the one asked for, else the best.

    Raises:
        SeriesError: ``NO_DICOM``, the code of the refused series, ``AMBIGUOUS_SERIES`` for a tie.
    """
    if not candidates:
        raise SeriesError("NO_DICOM", f"No DICOM image was found; {others} other files were looked at.")
    listing = " | ".join(c.describe() for c in candidates[:6])
    if series_uid is not None:
        candidates = [c for c in candidates if c.series_uid == series_uid]
        if not candidates:
            raise SeriesError("NO_CT_SERIES", f"The series asked for is not there. Found: {listing}")
    usable = [c for c in candidates if c.refused is None]
    if not usable:
        codes = [c.refused for c in candidates if c.refused not in ("NO_CT_SERIES", "LOCALIZER_ONLY", None)]
        locals_ = [c.refused for c in candidates if c.refused == "LOCALIZER_ONLY"]
        code = codes[0] if codes else locals_[0] if locals_ else "NO_CT_SERIES"
        raise SeriesError(str(code), f"No series can be taken as a head CT. Found: {listing}")
    if len(usable) > 1 and abs(usable[0].score - usable[1].score) < 1e-6:
        raise SeriesError(
            "AMBIGUOUS_SERIES", f"Two series are equally good: choose one with --series. Found: {listing}"
        )
    return usable[0]
