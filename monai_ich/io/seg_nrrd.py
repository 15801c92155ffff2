"""3D Slicer's segmentation file (.seg.nrrd): one layer, a named and colored segment for each label.

The header follows 3D Slicer's own writer. Without ``_Layer`` only one segment loads and without ``_ID`` names and
colors are lost, in silence; both are always written. NRRD as ITK reads it cannot hold a shear: a tilted grid is written
as its orthogonal copy (nearest neighbor, grown field of view).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import InputError, LabelError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Code, Label, LabelSet, label_of
from monai_ich.core.volume import LabelMap

_LPS = ("left-posterior-superior", "lps")
_RAS = ("right-anterior-superior", "ras")


def write_seg_nrrd(path: Path, labels: LabelMap) -> None:
    """Write a label map; every label of its set becomes a segment, an absent one an empty segment."""
    image = labels if labels.geometry.is_orthogonal else resample_labels(labels, labels.geometry.orthogonal())
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
    for number, value in enumerate(labels.labels):
        header |= _segment(number, int(value), value.name, label_of(labels.labels(value)), image)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as scratch:
        aside = Path(scratch) / path.name
        nrrd.write(str(aside), image.voxels, header, index_order="F", compression_level=1)
        aside.replace(path)


def read_seg_nrrd(path: Path, labels: LabelSet) -> LabelMap:
    """Read a segmentation, also one that was edited in 3D Slicer: values are matched by segment ID, then by name.

    Raises:
        InputError: ``NOT_SEG_NRRD`` where it is no single-layer segmentation, or in neither LPS nor RAS space.
        LabelError: ``UNKNOWN_LABEL`` where voxels hold a segment that `labels` does not know, or none.
    """
    try:
        data, header = nrrd.read(str(path), index_order="F")
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(header["space directions"], np.float64)[-3:].T
        affine[:3, 3] = header["space origin"]
        space = str(header["space"]).lower()
    except (nrrd.NRRDError, OSError, KeyError, ValueError, EOFError) as error:
        raise InputError("NOT_SEG_NRRD", "The file is named like a .seg.nrrd but cannot be read as such.") from error
    if data.ndim != 3:
        raise InputError("NOT_SEG_NRRD", "Segments overlap (several layers): save the segmentation without overlaps.")
    if space not in (*_LPS, *_RAS):
        raise InputError("NOT_SEG_NRRD", f"A segmentation lies in LPS or RAS space, found {space[:40]}: save it anew.")
    geometry = Geometry.from_lps(data.shape, affine) if space in _LPS else Geometry(data.shape, affine)
    return LabelMap(_relabeled(data, _segments(header), labels), geometry, labels)


def resample_labels(labels: LabelMap, geometry: Geometry) -> LabelMap:
    """Nearest neighbor onto another grid; background outside."""
    matrix = np.linalg.inv(labels.geometry.affine) @ geometry.affine
    i, j = np.arange(geometry.shape[0])[:, None], np.arange(geometry.shape[1])[None, :]
    out = np.zeros(geometry.shape, np.uint8)
    for k in range(geometry.shape[2]):
        found = [np.rint(m[0] * i + m[1] * j + m[2] * k + m[3]).astype(np.intp) for m in matrix[:3]]
        inside = np.logical_and.reduce([(f >= 0) & (f < n) for f, n in zip(found, labels.geometry.shape, strict=True)])
        plane = labels.voxels[tuple(np.clip(f, 0, n - 1) for f, n in zip(found, labels.geometry.shape, strict=True))]
        out[:, :, k] = np.where(inside, plane, 0)
    return LabelMap(out, geometry, labels.labels)


def _reference_geometry(geometry: Geometry) -> str:
    """The whole grid in Slicer's words; without it Slicer saves an edited file cropped to what is labeled."""
    extent = [end for n in geometry.shape for end in (0, n - 1)]
    numbers = "".join(f"{value:.17g};" for value in (*geometry.affine.ravel(), *extent))
    return f"Reference image geometry|{numbers}|Image geometry description string.&"


def _segment(number: int, value: int, name: str, label: Label, image: LabelMap) -> dict[str, str]:
    prefix = f"Segment{number}_"
    return {
        prefix + "ID": name,
        prefix + "Name": label.name,
        prefix + "NameAutoGenerated": "0",
        prefix + "Color": " ".join(f"{c / 255:.6g}" for c in label.color),
        prefix + "ColorAutoGenerated": "0",
        prefix + "LabelValue": str(value),
        prefix + "Layer": "0",
        prefix + "Extent": _extent(image.voxels == value),
        prefix + "Tags": _tags(label),
    }


def _extent(mask: NDArray[np.bool_]) -> str:
    """First and last index along each axis; 0 to -1 where the segment is empty."""
    ends = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append(f"{hit[0]} {hit[-1]}" if hit.size else "0 -1")
    return " ".join(ends)


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


def _segments(header: dict[str, Any]) -> dict[int, tuple[str, str]]:
    """Label value in the file to the segment's ID and name; empty where the file has no segment entries."""
    found: dict[int, tuple[str, str]] = {}
    number = 0
    while f"Segment{number}_LabelValue" in header:
        prefix = f"Segment{number}_"
        found[int(header[prefix + "LabelValue"])] = (header.get(prefix + "ID", ""), header.get(prefix + "Name", ""))
        number += 1
    return found


def _relabeled(data: NDArray[Any], segments: dict[int, tuple[str, str]], labels: LabelSet) -> NDArray[Any]:
    """Our label values for the file's; the number of a segment that we do not know means nothing to us."""
    if not segments:
        return data
    known = {value.name: int(value) for value in labels} | {label_of(value).name: int(value) for value in labels}
    out = np.zeros(data.shape, np.uint8)
    for stored in np.unique(data[data != 0]).tolist():
        keys = segments.get(stored, ())
        value = next((known[key] for key in keys if key in known), None)
        if value is None:
            what = f"the segment {keys[1] or keys[0]!r}" if keys else f"the value {stored} without a segment"
            raise LabelError("UNKNOWN_LABEL", f"Segments of {labels.__name__} were expected, found {what}: rename it.")
        out[data == stored] = value
    return out
