"""3D Slicer's segmentation file (.seg.nrrd): one layer, a named and colored segment for each label.

The header follows 3D Slicer's own writer. Without ``_Layer`` only one segment loads and without
``_ID`` names and colors are lost, in silence; both are always written. NRRD as ITK reads it cannot
hold a shear: a tilted grid is written as its orthogonal copy (grown field of view, each label's
volume kept).
"""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import nrrd
import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import InputError, LabelError
from monai_ich.core.geometry import Box, Geometry
from monai_ich.core.label_meaning import NOT_BLOOD, LabelMeaning
from monai_ich.core.labels import AnyLabel, Code, Label, LabelSet, label_of
from monai_ich.core.relabel import resample_labels
from monai_ich.core.volume import LabelMap
from monai_ich.io.label_origin import require_meaning
from monai_ich.io.limits import require_inflated, require_size, require_stored_size
from monai_ich.io.nifti_space import require_grid_kept
from monai_ich.io.output import renamed
from monai_ich.io.segment_names import says_nothing, shown, values_named

_LPS = ("left-posterior-superior", "lps")
_RAS = ("right-anterior-superior", "ras")


def write_seg_nrrd(path: Path, labels: LabelMap) -> None:
    """Write a label map; every label of its set becomes a segment, an absent one an empty
    segment.
    """
    image = (
        labels
        if labels.geometry.is_orthogonal
        else resample_labels(labels, labels.geometry.orthogonal())
    )
    affine = image.geometry.affine_lps
    header: dict[str, Any] = {
        "type": "unsigned char",
        "dimension": 3,
        "space": "left-posterior-superior",
        "sizes": np.array(image.geometry.shape),
        "space directions": affine[:3, :3].T.copy(),
        "kinds": ["domain", "domain", "domain"],
        "endian": "little",
        "encoding": "gzip",
        "space origin": affine[:3, 3].copy(),
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ConversionParameters": _reference_geometry(image.geometry),
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_SourceRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    boxes = image.boxes()
    for number, value in enumerate(labels.labels):
        header |= _segment(
            number, int(value), value.name, label_of(labels.labels(value)), boxes.get(int(value))
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with renamed(path) as aside:
        nrrd.write(str(aside), image.voxels, header, index_order="F", compression_level=1)


def read_seg_nrrd(path: Path, labels: LabelSet, meaning: LabelMeaning | None = None) -> LabelMap:
    """Read a segmentation, also one that was edited in 3D Slicer: a segment is what its ID and name
    say.

    A plain label map in NRRD has no segments; what its values mean must be said.

    Args:
        path: the file.
        labels: what its segments may be.
        meaning: of values that no segment's ID or name tells.

    Raises:
        InputError: ``LOST_GRID``; ``NOT_SEG_NRRD`` where segments overlap, or lie in neither LPS
            nor RAS space.
        LabelError: ``UNKNOWN_LABEL`` where voxels hold a segment that `labels` does not know, or
            none; ``CONTRADICTORY_LABEL`` where a segment's ID, its name and `meaning` say different
            things; ``UNKNOWN_MEANING`` for values of a file without segments.
    """
    try:
        _require_attached(path)
        data, header = nrrd.read(str(path), index_order="F")
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(header["space directions"], np.float64)[-3:].T
        affine[:3, 3] = header["space origin"]
        space = str(header["space"]).lower()
    except (
        nrrd.NRRDError,
        OSError,
        KeyError,
        ValueError,
        EOFError,
        TypeError,
        zlib.error,
    ) as error:
        raise InputError(
            "NOT_SEG_NRRD", "The file is named like a .seg.nrrd but cannot be read as such."
        ) from error
    if data.ndim not in (3, 4):
        raise InputError(
            "NOT_SEG_NRRD",
            f"A segmentation has three dimensions or layers of these, found {data.ndim}.",
        )
    if space not in (*_LPS, *_RAS):
        raise InputError(
            "NOT_SEG_NRRD",
            "A segmentation lies in LPS or RAS space, this one in another: save it anew.",
        )
    layers = data if data.ndim == 4 else data[None]
    shape = (int(layers.shape[1]), int(layers.shape[2]), int(layers.shape[3]))
    geometry = Geometry.from_lps(shape, affine) if space in _LPS else Geometry(shape, affine)
    require_grid_kept(geometry.affine)
    segments = _segments(header | _texts(path), len(layers))
    if segments or len(layers) > 1:
        return LabelMap(_painted(layers, segments, labels, meaning), geometry, labels)
    plain = LabelMap(layers[0], geometry, AnyLabel)
    if meaning is not None:
        return LabelMap(meaning.translate(plain.voxels), geometry, labels)
    require_meaning(plain)
    return LabelMap(plain.voxels, geometry, labels)


def _require_attached(path: Path) -> None:
    """Refuse, before any voxel is read, data in another file or after a skip, and a size that no
    head has.

    NRRD allows both; a file from elsewhere could so have any other file opened, or never end.

    Raises:
        InputError: ``NOT_SEG_NRRD``, ``TOO_LARGE``.
    """
    header = nrrd.read_header(str(path))
    skips = [
        str(header.get(name, "0")) for name in ("line skip", "lineskip", "byte skip", "byteskip")
    ]
    if (
        "data file" in header
        or "datafile" in header
        or any(skip not in ("0", "") for skip in skips)
    ):
        raise InputError(
            "NOT_SEG_NRRD",
            "A segmentation holds its voxels itself, after its header: save it anew.",
        )
    sizes = np.atleast_1d(header["sizes"]).tolist()
    require_size(sizes)
    item_bytes = 1 if "char" in str(header["type"]) or "int8" in str(header["type"]) else 8
    require_stored_size(sizes, item_bytes, fractions=item_bytes > 1)
    if str(header.get("encoding", "")).lower() in ("gzip", "gz"):
        with path.open("rb") as stream:
            nrrd.read_header(stream)
            require_inflated(stream, math.prod(sizes) * item_bytes + 1024, wbits=31)


def _reference_geometry(geometry: Geometry) -> str:
    """The whole grid in Slicer's words; without it Slicer saves an edited file cropped to what is
    labeled.
    """
    extent = [end for n in geometry.shape for end in (0, n - 1)]
    numbers = "".join(f"{value:.17g};" for value in (*geometry.affine.ravel(), *extent))
    return f"Reference image geometry|{numbers}|Image geometry description string.&"


def _segment(number: int, value: int, name: str, label: Label, box: Box | None) -> dict[str, str]:
    prefix = f"Segment{number}_"
    return {
        prefix + "ID": name,
        prefix + "Name": label.name,
        prefix + "NameAutoGenerated": "0",
        prefix + "Color": " ".join(f"{c / 255:.6g}" for c in label.color),
        prefix + "ColorAutoGenerated": "0",
        prefix + "LabelValue": str(value),
        prefix + "Layer": "0",
        prefix + "Extent": _extent(box),
        prefix + "Tags": _tags(label),
    }


def _extent(box: Box | None) -> str:
    """First and last index along each axis; 0 to -1 where the segment is empty."""
    return (
        "0 -1 0 -1 0 -1"
        if box is None
        else " ".join(f"{side.start} {side.stop - 1}" for side in box)
    )


def _tags(label: Label) -> str:
    def code(c: Code | None) -> str:
        return f"{c.scheme}^{c.value}^{c.meaning}" if c else "^^"

    entry = [
        "Segmentation category and type - MONAI-ICH",
        code(label.category),
        code(label.type),
        "^^",
        "Anatomic codes - DICOM master list",
        code(label.region),
        "^^",
    ]
    return f"TerminologyEntry:{'~'.join(entry)}|Segmentation.Status:completed|"


_Key: TypeAlias = tuple[int, int]  # layer, and the value in it


def _segments(header: dict[str, Any], layers: int) -> dict[_Key, tuple[str, str]]:
    """Where a segment is stored, to its ID and name; empty where the file has no segment entries.

    3D Slicer before 4.11 wrote neither layers nor values: a segment was a layer of its own, of the
    value 1.
    """
    found: dict[_Key, tuple[str, str]] = {}
    for number in range(sum(1 for key in header if re.fullmatch(r"Segment\d+_ID", key))):
        prefix = f"Segment{number}_"
        try:
            layer = int(header.get(prefix + "Layer", number if layers > 1 else 0))
            value = int(header.get(prefix + "LabelValue", 1))
        except ValueError as error:
            raise InputError(
                "NOT_SEG_NRRD", "The layer or the value of a segment is no number: save it anew."
            ) from error
        found[layer, value] = (header.get(prefix + "ID", ""), header.get(prefix + "Name", ""))
    return found


def _painted(
    layers: NDArray[Any],
    segments: dict[_Key, tuple[str, str]],
    labels: LabelSet,
    meaning: LabelMeaning | None,
) -> NDArray[Any]:
    """Our label values for the file's; the number of a segment that we do not know means nothing to
    us.
    """
    there = [
        (n, stored)
        for n, layer in enumerate(layers)
        for stored in np.unique(layer[layer != 0]).tolist()
    ]
    named = {key: _named(segments[key], labels) if key in segments else None for key in there}
    told = _told(named, meaning)
    out = np.zeros(layers.shape[1:], np.uint8)
    for key in there:
        value, mask = named[key] or told.get(key[1]), layers[key[0]] == key[1]
        if value is None:
            raise _unknown(segments, key, labels)
        if value == NOT_BLOOD:
            continue
        if not np.isin(out[mask], (0, value)).all():
            raise InputError(
                "NOT_SEG_NRRD", "Segments overlap: save the segmentation without overlaps."
            )
        out[mask] = value
    return out


def _named(keys: tuple[str, str], labels: LabelSet) -> int | None:
    """The label of an ID and a name; the ID alone counts only where the name says nothing: Slicer
    keeps it for ever.
    """
    if not values_named(keys[1:], labels) and not says_nothing(keys[1]):
        return None
    found = values_named(keys, labels)
    if len(found) > 1:
        names = " and ".join(labels(value).name for value in sorted(found))
        raise LabelError(
            "CONTRADICTORY_LABEL",
            f"The ID and the name of a segment say {names}: renamed in 3D Slicer it keeps its ID; "
            "make a new one.",
        )
    return found.pop() if found else None


def _told(named: dict[_Key, int | None], meaning: LabelMeaning | None) -> dict[int, int]:
    """What the user says of the values that no name tells; nobody may say otherwise of the
    others.
    """
    if meaning is None:
        return {}
    for (_, stored), value in named.items():
        if value is not None and meaning.says(stored) not in (value, None):
            raise LabelError(
                "CONTRADICTORY_LABEL",
                "A segment says itself what it is, and not what --labels-are says.",
            )
    return meaning.of(sorted({stored for (_, stored), value in named.items() if value is None}))


def _unknown(segments: dict[_Key, tuple[str, str]], key: _Key, labels: LabelSet) -> LabelError:
    what = f"the value {key[1]} without a segment"
    if key in segments:
        name = shown(segments[key][1] or segments[key][0])
        what = f"segment {list(segments).index(key) + 1}" + (
            f' ("{name}")' if name else " with another name"
        )
    return LabelError(
        "UNKNOWN_LABEL",
        f"Segments of {labels.__name__} were expected, found {what}: rename it, or say what it "
        "is, as in "
        f"--labels-are {key[1]}=SDH.",
    )


def _texts(path: Path) -> dict[str, str]:
    """IDs and names of the segments as they were written: pynrrd drops every letter that is not
    ASCII.
    """
    found: dict[str, str] = {}
    with path.open("rb") as stream:
        for line in stream:
            if not line.strip():
                break
            said = re.match(rb"(Segment\d+_(?:ID|Name)):=(.*)", line.rstrip(b"\r\n"))
            if said:
                found[said[1].decode()] = _decoded(said[2]).strip()
    return found


def _decoded(text: bytes) -> str:
    """UTF-8, as 3D Slicer writes; else Latin-1, in which every byte is a letter."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
