"""What was predicted for a scan: a label map, and where `analyze` made it, its measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ich.core.errors import InputError
from monai_ich.core.json_text import finite, read_json
from monai_ich.core.label_meaning import LabelMeaning
from monai_ich.core.labels import Hemorrhage, Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.volume import LabelMap
from monai_ich.io.output import settle
from monai_ich.io.read import is_nifti, read_ct, read_labels
from monai_ich.manifest.manifest import ANY, Case
from monai_ich.measure.unnamed import measure_unnamed
from monai_ich.measure.volume import DEFAULT_OPERATING_POINTS_ML, measure_subtypes
from monai_ich.pacs.seg_read import is_dicom_labels

NO_RECORD = "there is no measurements.json"


@dataclass(frozen=True)
class Prediction:
    """What was predicted for a scan.

    Args:
        labels: map of `Subtype`; of `Hemorrhage` where the predictions do not tell subtypes apart.
        record: its ``measurements.json``; None where only a label map was given.
    """

    labels: LabelMap
    record: Mapping[str, Any] | None


def read_prediction(folder: Path, case: Case, meaning: LabelMeaning | None = None) -> Prediction:
    """Read ``ID/ich.nii.gz`` with its ``measurements.json`` (also below ``cases``), or the label
    map `ID`.

    That is ``ID.nii.gz``, ``ID.seg.nrrd``, ``ID.dcm`` or a folder ``ID`` with one DICOM SEG.

    Raises:
        InputError: ``MISSING_PREDICTION``; ``NOT_MEASUREMENTS``; those of `read_labels`.
        LabelError: ``UNKNOWN_LABEL``, ``UNKNOWN_MEANING``, ``CONTRADICTORY_LABEL``.
    """
    kind = Subtype if meaning is None else meaning.labels
    homes = (folder / case.id, folder / "cases" / case.id)
    for home in homes:
        settle(home)
        if (home / "ich.nii.gz").is_file():
            path = home / "measurements.json"
            record = _read_record(path) if path.is_file() else None
            return Prediction(read_labels(home / "ich.nii.gz", kind, meaning=meaning), record)
    for path in (
        *(folder / f"{case.id}{end}" for end in (".nii.gz", ".nii", ".seg.nrrd", ".dcm")),
        homes[0],
    ):
        if path.exists():
            return Prediction(
                read_labels(path, kind, meaning=meaning, **slices_of(case, path)), None
            )
    message = (
        "The folder of predictions holds neither ID/ich.nii.gz nor ID.nii.gz, ID.seg.nrrd, "
        "ID.dcm for it."
    )
    raise InputError("MISSING_PREDICTION", message)


def slices_of(case: Case, path: Path) -> dict[str, Any]:
    """For a mask in DICOM, the slices of its image, where that can be read as one."""
    if (
        is_nifti(path)
        or not is_dicom_labels(path)
        or len(case.image) != 1
        or not case.image[0].exists()
    ):
        return {}
    scan = read_ct(case.image[0])
    return {"grid": scan.volume.geometry, "source": scan.source}


def _read_record(path: Path) -> Mapping[str, Any]:
    try:
        record: Mapping[str, Any] = read_json(path)
        if record["schema"] != "monai-ich/measurements/1" or {s.name for s in Subtype} - set(
            record["subtypes"]
        ):
            raise KeyError("schema")
        _require_usable(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "NOT_MEASUREMENTS", "Its measurements.json is not one that monai-ich wrote."
        ) from error
    return record


def _require_usable(record: Mapping[str, Any]) -> None:
    """Numbers that are compared must be numbers."""
    for found in (record, *record["subtypes"].values()):
        if not isinstance(found["hemorrhage_present" if found is record else "present"], bool):
            raise TypeError("neither true nor false")
        if found.get("probability") is not None:
            finite(found["probability"])
    shift = record["midline_shift"]
    if "value_mm" in shift and (
        finite(shift["value_mm"]) < 0 or shift.get("toward") not in ("left", "right", None)
    ):
        raise ValueError("a shift to nowhere")
    for lesion in record["lesions"]:
        for number in (lesion["volume_ml"], lesion.get("max_thickness_mm") or 0.0):
            finite(number)


def what_was_said(prediction: Prediction) -> dict[str, tuple[bool, float | None]]:
    """Finding to presence and probability, without what the prediction does not tell."""
    if prediction.labels.labels is Hemorrhage:
        unnamed = measure_unnamed(prediction.labels)
        return {ANY: (unnamed is not None and unnamed.present, None)}
    if prediction.record is None:
        said: dict[str, tuple[bool, float | None]] = {
            f.subtype.name: (f.present, None) for f in measure_subtypes(prediction.labels)
        }
        return said | {ANY: (any(present for present, _ in said.values()), None)}
    subtypes = {s.name: prediction.record["subtypes"][s.name] for s in Subtype}
    said = {
        name: (bool(found["present"]), found.get("probability")) for name, found in subtypes.items()
    }
    return said | {
        ANY: (bool(prediction.record["hemorrhage_present"]), prediction.record.get("probability"))
    }


def thickest_mm(record: Mapping[str, Any] | None, subtype: Subtype) -> Measurement:
    """Thickness of the thickest clot of a subtype; 0 mm where none was found.

    A clot of 0.1 mL or more that could not be measured may be the thickest: then there is no value.
    """

    def result(value: float | None, reason: str | None = None) -> Measurement:
        method = "largest of all clots, from measurements.json"
        return Measurement("thickness", value, "mm", subtype.name, method, reason=reason)

    if record is None:
        return result(None, NO_RECORD)
    clots = [clot for clot in record["lesions"] if clot["subtype"] == subtype.name]
    measured = [mm for clot in clots if (mm := clot.get("max_thickness_mm")) is not None]
    least_ml = DEFAULT_OPERATING_POINTS_ML[subtype.name] if measured else 0.0
    for clot in clots:
        if clot.get("max_thickness_mm") is None and clot["volume_ml"] >= least_ml:
            reason = clot.get("max_thickness_reason", "thickness was not measured")
            return result(None, f"clot of {clot['volume_ml']:.1f} mL: {reason}")
    return result(max(measured, default=0.0))
