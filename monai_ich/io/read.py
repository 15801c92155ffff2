"""Read a head CT from whatever it is kept in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError
from monai_ich.core.labels import LabelSet
from monai_ich.core.provenance import Warn
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.dicom_discovery import Candidate, choose_series, find_instances, opened, rank_series
from monai_ich.io.dicom_series import SourceSeries, read_series
from monai_ich.io.nifti import read_nifti_ct, read_nifti_labels
from monai_ich.io.seg_nrrd import read_seg_nrrd

_NIFTI = (".nii", ".nii.gz")


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT and where it came from.

    Args:
        volume: the CT.
        source: the DICOM series; None for a NIfTI file.
        warnings: what the reader of a number must know.
        series: every series that was looked at, best first.
    """

    volume: CTVolume
    source: SourceSeries | None = None
    warnings: tuple[Warn, ...] = ()
    series: tuple[Candidate, ...] = ()

    def report(self) -> dict[str, Any]:
        """What was decided and why, for JSON; no patient data."""
        geometry = self.volume.geometry
        return {
            "shape": list(geometry.shape),
            "spacing_mm": [round(s, 4) for s in geometry.spacing_mm],
            "tilt_deg": round(geometry.tilt_deg, 2),
            "slab_widths_mm": list(self.volume.slab_widths_mm or ()),
            "warnings": [{"code": w.code, "message": w.message} for w in self.warnings],
            "series": [
                {"uid": c.series_uid, "images": len(c.instances), "refused": c.refused, "reasons": list(c.reasons)}
                for c in self.series
            ],
        }


def read_ct(path: str | Path, *, series_uid: str | None = None, mode: str = "strict", assume_hu: bool = False) -> Scan:
    """Read a DICOM folder, single file, .zip or DICOMDIR, or a .nii(.gz) file.

    Args:
        path: what to read.
        series_uid: the series to take, whatever its rank.
        mode: ``"strict"`` refuses a missing slice, ``"lenient"`` fills a single one of at most 6 mm.
        assume_hu: take stored values as HU where a CT has no rescale.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_NIFTI``, ``NOT_3D``, ``NOT_HU``.
        SeriesError: see `dicom_discovery` and `dicom_series`.
    """
    path = Path(path)
    if path.name.endswith(_NIFTI):
        return Scan(read_nifti_ct(path))
    with opened(path) as root:
        instances, others = find_instances(root)
        candidates = rank_series(instances)
        chosen = choose_series(candidates, series_uid, others)
        volume, source, warnings = read_series(chosen, lenient=mode == "lenient", assume_hu=assume_hu)
    return Scan(volume, source, warnings, tuple(candidates))


def list_series(path: str | Path) -> list[str]:
    """One line for each series found, best first."""
    with opened(Path(path)) as root:
        return [c.describe() for c in rank_series(find_instances(root)[0])]


def read_labels(path: str | Path, labels: LabelSet) -> LabelMap:
    """Read a label map from .nii(.gz) or .seg.nrrd.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_LABELS`` for another kind of file.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", f"The label file {path} does not exist.")
    if path.name.endswith(_NIFTI):
        return read_nifti_labels(path, labels)
    if path.name.endswith((".seg.nrrd", ".nrrd")):
        return read_seg_nrrd(path, labels)
    raise InputError("NOT_LABELS", "Labels are read from .nii, .nii.gz and .seg.nrrd files.")
