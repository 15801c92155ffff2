"""Rows of a manifest for networks that learn from masks, slice labels and exam labels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Randomizable

from monai_ich.core.errors import IchError, ManifestError
from monai_ich.learn.findings import (
    exam_of_slices,
    exam_target,
    slice_code,
    targets_of_cells,
    targets_of_codes,
    targets_of_mask,
)
from monai_ich.manifest.scans import name_case, read_row_ct
from monai_ich.parts.data_list import MADE, list_rows
from monai_ich.parts.findings import CHANNELS
from monai_ich.parts.label_files import training_labels

LABELS = ("slice_labels", "exam_labels")
_CHECK = "`monai-ich manifest check` finds such rows and, with -o, leaves them out"


def read_rows(dataset_dir: str | Path, section: str) -> list[dict[str, Any]]:
    """Rows of ``dataset.json`` that have a mask, slice labels or exam labels.

    Returns:
        ``case``, ``image`` (a path or those of a DICOM series), and ``label`` (a path, with our
        numbers), ``slice_labels`` or ``exam_labels`` where a row has them.

    Raises:
        ManifestError: ``NO_DATA_LIST``, ``MISSING_FILE``, ``NO_LABELS``.
    """
    return _with_labels(_read_rows(dataset_dir, section, {"label": "label"}), section, "a mask, ")


def read_rows_without_masks(dataset_dir: str | Path, section: str) -> list[dict[str, Any]]:
    """Rows that have slice or exam labels, for those alone: a mask that a row has stays unread.

    Returns:
        As `read_rows` without ``label``, and ``cavity``, a path, where a row has an anatomy.

    Raises:
        ManifestError: as `read_rows`.
    """
    return _with_labels(_read_rows(dataset_dir, section, {"cavity": "anatomy"}), section)


def read_scans(dataset_dir: str | Path, section: str) -> list[dict[str, Any]]:
    """Each row for its scan alone: ``case`` and ``image``.

    Raises:
        ManifestError: ``NO_DATA_LIST``, ``MISSING_FILE``.
    """
    rows = _read_rows(dataset_dir, section, {})
    return [{key: row[key] for key in ("case", "image")} for row in rows]


def rows_without_hemorrhage(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Rows of which a label says that there is no hemorrhage, in the exam or in all of its slices:
    their mask is known, and empty.

    Returns:
        ``case``, ``image`` and, where a row has it, ``cavity``.

    >>> rows_without_hemorrhage([{"image": "a", "slice_labels": [[], []]}])
    [{'image': 'a'}]
    >>> rows_without_hemorrhage([{"image": "b", "slice_labels": [[], None]}])
    []
    """
    found = []
    for row in rows:
        slices = row.get("slice_labels") or ()
        is_denied = exam_target(row.get("exam_labels"))[0] == 1
        are_empty = bool(slices) and None not in slices
        if (is_denied or are_empty) and not any(slices):
            found.append({k: row[k] for k in ("case", "image", "cavity") if k in row})
    return found


def _read_rows(
    dataset_dir: str | Path, section: str, maps: Mapping[str, str]
) -> list[dict[str, Any]]:
    """`maps`: name in the result to name in the file, of label maps."""
    folder = Path(dataset_dir).resolve()
    rows, mapping = list_rows(folder, section)
    found = []
    for number, row in enumerate(rows):
        files = [row["image"]] if isinstance(row["image"], str) else row["image"]
        images = [folder / name for name in files]
        given = {key: folder / row[name] for key, name in maps.items() if name in row}
        if not all(path.exists() for path in (*images, *given.values())):
            raise ManifestError("MISSING_FILE", f"Scan {number} of {section!r} lacks a file.")
        if "any" in mapping.values():  # masks that name no subtype
            given.pop("label", None)
        if "label" in given:
            given["label"] = training_labels(given["label"], mapping, folder / MADE)
        one: dict[str, Any] = {"case": str(row.get("id", f"{section} {number}"))}
        one["image"] = str(images[0]) if len(images) == 1 else [str(path) for path in images]
        one |= {key: str(path) for key, path in given.items()}
        one |= {key: row[key] for key in LABELS if key in row}
        found.append(one)
    return found


def _with_labels(rows: list[dict[str, Any]], section: str, masks: str = "") -> list[dict[str, Any]]:
    found = [row for row in rows if "label" in row or _is_known(row)]
    if not found:
        why = f"Of no scan of {section!r} is {masks}a slice label or an exam label known."
        raise ManifestError("NO_LABELS", why)
    return found


def _is_known(row: Mapping[str, Any]) -> bool:
    slices, exam = row.get("slice_labels") or (), row.get("exam_labels") or {}
    return any(names is not None for names in slices) or any(v is not None for v in exam.values())


def balanced_weights(rows: list[dict[str, Any]]) -> list[float]:
    """How often each row is drawn, so that a finding that is rare among exams is seen as often as
    others: one over the count of its rarest finding.

    Rows without exam labels get the mean.

    >>> rows = [{"exam_labels": {"EDH": 1, "any": 1}}] + [{"exam_labels": {"any": 0}}] * 2
    >>> balanced_weights(rows)
    [1.0, 0.5, 0.5]
    """
    targets = torch.stack([exam_target(row.get("exam_labels")) for row in rows]).nan_to_num(0.0)
    counts = targets.sum(0)
    weights = [float((t / counts.clamp_min(1)).max()) for t in targets]
    known = [w for w in weights if w > 0]
    mean = sum(known) / len(known) if known else 1.0
    return [w or mean for w in weights]


class LoadScand(MapTransform):
    """Read what a row has: a scan in HU (NIfTI or DICOM), and a label map or, painted on the scan's
    grid, the code of each slice (`slice_code`), so that both are resampled alike.

    Args:
        keys: the scan.
        empty: other label maps, which are all 0 where a row has none.

    Raises:
        ManifestError: with the code of a scan that import refuses, or ``SLICE_COUNT``; it names the
            case.
    """

    def __init__(self, keys: KeysCollection = "image", empty: Sequence[str] = ()) -> None:
        super().__init__(keys)
        self.empty = tuple(empty)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        try:
            return self._load(data)
        except IchError as error:
            raise name_case(error, str(data.get("case", "without id")), hint=_CHECK) from error

    def _load(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        image = _read(out["image"])
        out["image"], out["kind"] = image, "exam"
        for key in self.empty:
            nothing = MetaTensor(torch.zeros_like(image), affine=image.affine)
            out[key] = _read(out[key]) if key in out else nothing
        if "label" in out:
            out["label"], out["kind"] = _read(out["label"]), "mask"
            return out
        codes = torch.full(image.shape[-1:], 255, dtype=torch.uint8)
        if "slice_labels" in out:
            named = [slice_code(names) for names in out["slice_labels"]]
            if len(named) != len(codes):
                message = f"It has {len(codes)} slices and labels for {len(named)}."
                raise ManifestError("SLICE_COUNT", message)
            is_series = not isinstance(data["image"], str)  # those are ordered by height
            turned = is_series and bool(image.affine[2, 2] < 0)
            codes, out["kind"] = torch.tensor(named[::-1] if turned else named), "slices"
        painted = codes.to(torch.uint8).expand(image.shape).clone()
        out["label"] = MetaTensor(painted, affine=image.affine)
        return out


def _read(source: str | list[str]) -> MetaTensor:
    """``(1, I, J, K)``."""
    if isinstance(source, str) and source.endswith((".nii", ".nii.gz")):
        import nibabel as nib

        image: Any = nib.load(source)
        voxels = np.asarray(image.dataobj, np.float32)
        return MetaTensor(torch.from_numpy(voxels)[None], affine=torch.as_tensor(image.affine))
    paths = [source] if isinstance(source, str) else source
    ct = read_row_ct(tuple(map(Path, paths)))
    return MetaTensor(torch.tensor(ct.hu)[None], affine=torch.tensor(ct.geometry.affine))


class TopSlicesd(MapTransform):
    """The highest slices ``(C, I, J, count)``, with air (0) below where a scan has fewer.

    Args:
        keys: scan and label map, RAS.
        count: how many.
    """

    def __init__(self, keys: KeysCollection, count: int) -> None:
        super().__init__(keys)
        self.count = count

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            top = out[key][..., -self.count :]
            out[key] = torch.nn.functional.pad(top, (self.count - top.shape[-1], 0))
        return out


class RandPartOfHeadd(Randomizable, MapTransform):
    """Keep a run of slices, or one slice again and again, with air (0) below: networks then read a
    part of a head, and single pictures, as well as whole heads.

    What the exam's labels say of the whole head is not known of a part; only "no hemorrhage" is.

    Args:
        keys: scan and label map ``(C, I, J, K)``; `LoadScand` gave the ``kind`` of labels.
        prob: how often.
        repeat_prob: how often it is one slice then.
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.25, repeat_prob: float = 0.5) -> None:
        MapTransform.__init__(self, keys)
        self.prob, self.repeat_prob = prob, repeat_prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        free_of_blood = (out.get("exam_labels") or {}).get("any") == 0
        if self.R.random() >= self.prob or (out["kind"] == "exam" and not free_of_blood):
            return out
        if not free_of_blood:
            out.pop("exam_labels", None)
        size = out[self.keys[0]].shape[-1]
        count = int(self.R.randint(1, size + 1))
        chosen = torch.arange(count) + int(self.R.randint(0, size - count + 1))
        if self.R.random() < self.repeat_prob:
            chosen = torch.full_like(chosen, int(self.R.randint(0, size)))
        for key in self.key_iterator(out):
            out[key] = torch.nn.functional.pad(out[key][..., chosen], (size - count, 0))
        return out


class FindingTargetsd(MapTransform):
    """Labels ``(6, K + 1)`` of the slices and, last, of the exam, in place of the label map; NaN
    where not known.

    Args:
        keys: the label map ``(1, I, J, K)`` of `LoadScand`, on the network's grid.
        voxel_ml: of that grid.
        cell: pixels along the side of a cell; given, ``cells`` are added, the labels of each cell
            of each slice ``(6, I / cell, J / cell, K)``.
    """

    def __init__(self, keys: KeysCollection, voxel_ml: float, cell: int | None = None) -> None:
        super().__init__(keys)
        self.voxel_ml, self.cell = voxel_ml, cell

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            label = torch.as_tensor(out[key]).as_subclass(torch.Tensor)[0]
            if self.cell is not None:
                out["cells"] = self._cells(label, self.cell, out["kind"] == "mask")
            if out["kind"] == "mask":
                slices = targets_of_mask(label, self.voxel_ml)
            elif out["kind"] == "slices":  # the middle of a slice; around the scan it is 0
                slices = targets_of_codes(label[label.shape[0] // 2, label.shape[1] // 2])
            else:
                slices = torch.full((len(CHANNELS), label.shape[-1]), torch.nan)
            told = exam_target(out.get("exam_labels"))
            exam = torch.where(told.isnan(), exam_of_slices(slices), told)
            out[key] = torch.cat([slices, exam[:, None]], 1)
        return out

    def _cells(self, label: torch.Tensor, cell: int, has_mask: bool) -> torch.Tensor:
        if has_mask:
            return targets_of_cells(label, self.voxel_ml, cell)
        i, j, k = label.shape
        return torch.full((len(CHANNELS), i // cell, j // cell, k), torch.nan)
