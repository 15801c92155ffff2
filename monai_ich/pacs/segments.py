"""What the segments of a DICOM SEG mean: ours and others', by name and by code, or refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as DicomCode

from monai_ich.core.errors import InputError, LabelError
from monai_ich.core.label_meaning import NOT_BLOOD, LabelMeaning
from monai_ich.core.labels import Anatomy, Cavity, Code, LabelSet, Subtype, label_of
from monai_ich.io.segment_names import values_named
from monai_ich.pacs import codes

_BESIDE: dict[LabelSet, LabelSet] = {
    Anatomy: Cavity
}  # what our own file holds beside them, overlapping
_BRAIN = label_of(Subtype.IPH).region
_NAMES = ("SegmentLabel", "SegmentDescription", "TrackingID")


class Segments:
    """The segments of a SEG as values of a label set.

    A segment is known by a name (EDH, Epidural hematoma), by the code of its type, or by that and
    the code of its region, as `core.labels` and `pacs.codes` have them. Where these name two
    labels, it is not known. `LabelMeaning` may say what a segment is that is not known, by its
    number, and must not say otherwise of another.

    Raises:
        LabelError: ``UNKNOWN_LABEL`` where no segment is known: an empty mask of something else is
            not "no blood"; ``CONTRADICTORY_LABEL``.
    """

    def __init__(self, d: Dataset, labels: LabelSet, meaning: LabelMeaning | None = None) -> None:
        self.labels = labels
        self.said = {int(segment.SegmentNumber): segment for segment in d.SegmentSequence}
        self.values = {number: _value(segment, labels) for number, segment in self.said.items()}
        beside = _BESIDE.get(labels)
        self.ignored = {
            n
            for n, s in self.said.items()
            if beside and self.values[n] is None and _value(s, beside)
        }
        if meaning is not None:
            self._complete(meaning)
        if not any(self.values.values()) and meaning is None:
            raise self._unknown(min(self.said))

    def paint(self, frame: NDArray[Any], plane: NDArray[np.uint8], number: int | None) -> None:
        """Add a frame to a plane of labels: the mask of segment `number`, or where that is None, of
        segment numbers.

        Raises:
            LabelError: ``UNKNOWN_LABEL`` for pixels of a segment that is not known.
            InputError: ``NOT_DICOM_SEG`` where two labels overlap.
        """
        for stored in np.unique(frame[frame > 0]).tolist():
            segment = stored if number is None else number
            if segment in self.ignored:
                continue
            value = self.values.get(segment)
            if value is None:
                raise self._unknown(segment)
            mask = frame == stored
            if not np.isin(plane[mask], (0, value)).all():
                raise InputError(
                    "NOT_DICOM_SEG",
                    "Segments of the SEG overlap, where a pixel can hold one label only.",
                )
            plane[mask] = value

    def _complete(self, meaning: LabelMeaning) -> None:
        for number, value in self.values.items():
            if value is not None and meaning.says(number) not in (value, None):
                raise LabelError(
                    "CONTRADICTORY_LABEL",
                    f"Segment {number} of the SEG says itself what it is, and not what "
                    "--labels-are says.",
                )
        self.values |= meaning.of(
            [number for number, value in self.values.items() if value is None]
        )
        self.ignored |= {number for number, value in self.values.items() if value == NOT_BLOOD}

    def _unknown(self, number: int) -> LabelError:
        segment = self.said.get(number)
        code = None if segment is None else _code(segment, "SegmentedPropertyTypeCodeSequence")
        coded = "has no code" if code is None else f"is coded {_told(code)}"
        known = ", ".join(value.name for value in self.labels)
        return LabelError(
            "UNKNOWN_LABEL",
            f"Segments named {known} were expected, segment {number} {coded}: rename it, or say "
            "what it is, as in "
            f"--labels-are {number}=SDH.",
        )


def _value(segment: Dataset, labels: LabelSet) -> int | None:
    """The one label that name and code agree on."""
    found = {
        value
        for said in (_named(segment, labels), _coded(segment, labels))
        if len(said) == 1
        for value in said
    }
    return found.pop() if len(found) == 1 else None


def _named(segment: Dataset, labels: LabelSet) -> set[int]:
    return values_named((str(segment.get(name) or "") for name in _NAMES), labels)


def _coded(segment: Dataset, labels: LabelSet) -> set[int]:
    kind, region = (
        _code(segment, name)
        for name in ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence")
    )
    own = {
        int(s) for s, code in codes.SUBTYPES.items() if isinstance(s, labels) and _same(kind, code)
    }
    of_type = {value for value in labels if _same(kind, label_of(value).type)}
    own |= {int(s) for s, code in codes.REGIONS.items() if s in of_type and _same(region, code)}
    if len(of_type) > 1:  # by region; blood "in the brain" may be blood of any kind
        of_type = {
            v for v in of_type if _same(region, label_of(v).region) and not _same(region, _BRAIN)
        }
    return own or {int(value) for value in of_type}


def _code(segment: Dataset, sequence: str) -> DicomCode | None:
    items = list(segment.get(sequence) or [])
    value = str(items[0].get("CodeValue") or items[0].get("LongCodeValue") or "") if items else ""
    return (
        DicomCode(value, str(items[0].get("CodingSchemeDesignator") or ""), "") if value else None
    )


def _told(code: DicomCode) -> str:
    """A code as a message may repeat it: one of SNOMED's form; others may hold any text."""
    is_snomed = code.scheme_designator in ("SCT", "SRT") and re.fullmatch(
        r"\d{6,18}|[A-Z]-[0-9A-F]{4,5}", code.value
    )
    return f"{code.value} {code.scheme_designator}" if is_snomed else "as something else"


def _same(one: DicomCode | None, other: Code | None) -> bool:
    """Whether both are one concept; codes of old files (SRT) are their successors'."""
    return one is not None and other is not None and one == DicomCode(other.value, other.scheme, "")
