"""NIfTI both ways. NIfTI is RAS+ already: the affine is taken and given as it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from monai_ich.core.errors import InputError, LabelError
from monai_ich.core.geometry import FloatArray, Geometry
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import AnyLabel, LabelSet
from monai_ich.core.volume import AIR_HU, MAX_HU, CTVolume, LabelMap, Mask
from monai_ich.io.hounsfield import require_hu
from monai_ich.io.label_mark import mark_of, marked_set
from monai_ich.io.limits import require_size, require_stored_size
from monai_ich.io.nifti_space import require_grid_kept, require_patient_space
from monai_ich.io.output import renamed
from monai_ich.io.quiet import quiet

_GZIP_LEVEL = 2  # of ISA-L: a quarter of the time of zlib's fastest level for 3 % more bytes


def read_nifti_ct(path: Path, *, assume_hu: bool = False) -> CTVolume:
    """Read a head CT in Hounsfield units; the file's own grid is kept.

    NaN that touches the edge of the volume is padding (so some resampling tools mark it) and
    becomes air. NaN inside the head, and infinity anywhere, would make numbers wrong and is
    refused. Values are clamped to -1024..3071.

    Args:
        path: the file.
        assume_hu: take values as HU that do not look so, as those of an export of a window of them.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_NIFTI``, ``NOT_3D``, ``NO_ORIENTATION``,
            ``NON_FINITE``, ``NOT_HU``, and those of `nifti_space`.
    """
    data, affine, _ = _read(path)
    hu = data.astype(np.float32)
    _pad_with_air(hu)
    if not assume_hu:
        require_hu(hu)
    np.clip(hu, AIR_HU, MAX_HU, out=hu)
    return CTVolume(hu, Geometry(hu.shape, affine))


def _pad_with_air(hu: NDArray[np.float32]) -> None:
    if np.isfinite(hu.sum(dtype=np.float64)):
        return
    from scipy import ndimage  # a third of the time of an import; seldom needed

    holes = np.isnan(hu)
    pieces = ndimage.label(holes)[0]
    inner = pieces[1:-1, 1:-1, 1:-1]
    enclosed = np.setdiff1d(
        inner, np.concatenate([pieces.take(n, axis).ravel() for axis in range(3) for n in (0, -1)])
    )
    if np.isinf(hu).any() or (enclosed > 0).any():
        raise InputError(
            "NON_FINITE", "The CT holds NaN inside the volume, or infinity: write it without."
        )
    hu[holes] = AIR_HU


class Numbers(NamedTuple):
    """A label map as it is stored.

    Args:
        labels: map of `AnyLabel`.
        marked: what the numbers mean, where the file bears our mark; else None.
    """

    labels: LabelMap
    marked: LabelSet | None


def read_nifti_labels(path: Path, labels: LabelSet) -> LabelMap:
    """Read a label map whose numbers are known to be those of `labels` (see `read.read_labels`
    where they are not).

    Raises:
        InputError: as `read_nifti_numbers`.
        LabelError: ``UNKNOWN_LABEL`` for values without a meaning in `labels`, fractions among
            them.
    """
    found = read_nifti_numbers(path).labels
    return LabelMap(found.voxels, found.geometry, labels)


def read_nifti_numbers(path: Path) -> Numbers:
    """Read a label map, and whether it says what its numbers mean.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_NIFTI``, ``NOT_3D``, ``NO_ORIENTATION``, and those of
            `nifti_space`.
        LabelError: ``UNKNOWN_LABEL`` for fractions and values beyond 0 to 255.
    """
    data, affine, note = _read(path)
    whole = np.rint(np.nan_to_num(data, nan=-1.0))
    if not np.array_equal(whole, data) or whole.min() < 0 or whole.max() > 255:
        raise LabelError(
            "UNKNOWN_LABEL", "A label map holds whole numbers from 0 to 255, found others."
        )
    voxels = whole.astype(np.uint8)
    return Numbers(
        LabelMap(voxels, Geometry(data.shape, affine), AnyLabel), marked_set(note, voxels, affine)
    )


def read_nifti_grid(path: Path) -> Geometry:
    """Where the voxels of a file are, whatever they hold: none is decoded.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_NIFTI``, ``NOT_3D``, ``NO_ORIENTATION``, and those of
            `nifti_space`.
    """
    if not path.exists():
        raise InputError(
            "INPUT_NOT_FOUND", "The grid to follow does not exist: check the path given."
        )
    zeros, affine, _ = _read(
        path, lambda image: np.broadcast_to(np.int8(0), image.shape), thinnest=1
    )
    require_grid_kept(affine)
    return Geometry(zeros.shape, affine)


def write_nifti(path: Path, image: CTVolume | LabelMap | Mask | HeatMap) -> None:
    """Write a volume, aside first, then renamed. A sheared affine goes into the sform only: no
    qform can hold it.

    A heat map is kept in bytes with a slope of 1 / 255: whoever reads it sees 0 to 1. A label map
    with numbers of ours bears a mark (`label_mark`).
    """
    nifti = _as_nifti(image)
    path.parent.mkdir(parents=True, exist_ok=True)
    with renamed(path) as aside, aside.open("wb") as stream:
        if path.name.endswith(".gz"):
            with _packed(stream) as packed:
                nifti.to_stream(packed)
        else:
            nifti.to_stream(stream)


def pack_nifti(image: CTVolume | LabelMap | Mask) -> bytes:
    """The bytes of a ``.nii.gz``."""
    stream = BytesIO()
    with _packed(stream) as packed:
        _as_nifti(image).to_stream(packed)
    return stream.getvalue()


def _as_nifti(image: CTVolume | LabelMap | Mask | HeatMap) -> Any:
    data = (
        _whole_or_float(image.hu)
        if isinstance(image, CTVolume)
        else image.voxels.astype(np.uint8, copy=False)
    )
    nifti: Any = nib.Nifti1Image(data, None)
    nifti.header.set_xyzt_units("mm")
    if isinstance(image, HeatMap):
        nifti.header.set_slope_inter(1 / 255, 0)
        nifti.header["descrip"] = f"heat map {image.subtype.name}, 0 to 1, no probability"
    if isinstance(image, LabelMap):
        nifti.header["descrip"] = mark_of(image.labels, data, image.geometry.affine)
    nifti.set_sform(image.geometry.affine, code="scanner")
    if image.geometry.is_orthogonal:
        nifti.set_qform(image.geometry.affine, code="scanner")
    else:
        nifti.header.set_zooms(image.geometry.spacing_mm)
        nifti.set_qform(None, code="unknown")
    return nifti


def _packed(stream: BinaryIO) -> AbstractContextManager[Any]:
    """No name and no time in its header: the same image gives the same bytes."""
    return igzip.IGzipFile(
        filename="", fileobj=stream, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0
    )


def _whole_or_float(hu: NDArray[np.float32]) -> NDArray[Any]:
    """int16 where every value is a whole number that fits, else as it is; slice by slice, to spare
    memory.
    """
    limits = np.iinfo(np.int16)
    if hu.size == 0 or not (limits.min <= hu.min() and hu.max() <= limits.max):
        return hu
    whole = np.empty(hu.shape, np.int16, order="F")
    for k in range(hu.shape[2]):
        whole[:, :, k] = hu[:, :, k]
        if not np.array_equal(whole[:, :, k], hu[:, :, k]):
            return hu
    return whole


def _voxels(image: Any) -> NDArray[Any]:
    """Rescaled values in at most 4 bytes each: what nibabel makes of a small packed file can take
    8.
    """
    proxy = image.dataobj
    if proxy.dtype.kind not in "iuf":  # colors, complex numbers: no volume, as the caller says
        return np.broadcast_to(np.zeros((), proxy.dtype), image.shape)
    is_scaled = (proxy.slope, proxy.inter) != (1.0, 0.0)
    require_stored_size(
        image.shape, proxy.dtype.itemsize, fractions=is_scaled or proxy.dtype.kind == "f"
    )
    stored: NDArray[Any] = proxy.get_unscaled()
    if is_scaled:
        values = stored.astype(np.float32)
        values *= np.float32(proxy.slope)
        values += np.float32(proxy.inter)
        return values
    if stored.dtype.kind == "f":
        return stored.astype(np.float32, copy=False)
    limits = np.iinfo(np.int16)
    is_small = (
        stored.dtype.itemsize > 2
        and stored.size
        and limits.min <= stored.min()
        and stored.max() <= limits.max
    )
    return stored.astype(np.int16) if is_small else stored


def _read(
    path: Path, voxels: Callable[[Any], NDArray[Any]] = _voxels, *, thinnest: int = 2
) -> tuple[NDArray[Any], FloatArray, str]:
    """Voxels as stored (rescaled by the header), the affine, and the header's note.

    A file without sform and qform does not say which side is left; it is refused, since a guess
    could be wrong.

    Args:
        path: the file.
        voxels: takes them from nibabel's image.
        thinnest: the least number of voxels along an axis.
    """
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", "The input does not exist: check the path given.")
    try:
        with quiet("nibabel.global"):
            image: Any = nib.load(path)
        require_size(image.shape)
        data = voxels(image)
        affine = np.asarray(image.affine, np.float64)
        codes = int(image.header["sform_code"]), int(image.header["qform_code"])
        note = image.header["descrip"].item().decode("ascii", "replace")
    except InputError:
        raise
    except Exception as error:  # a damaged header fails in many ways
        raise InputError(
            "NOT_NIFTI", "The file is named like NIfTI but cannot be read as such."
        ) from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3 or min(data.shape) < thinnest or data.dtype.kind not in "iuf":
        raise InputError(
            "NOT_3D", f"A head CT or label map has three dimensions, found shape {data.shape}."
        )
    if codes == (0, 0):
        raise InputError(
            "NO_ORIENTATION", "The file has neither sform nor qform, so left and right are unknown."
        )
    require_patient_space(image.header, affine)
    return data, affine, note
