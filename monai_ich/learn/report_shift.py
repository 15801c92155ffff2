"""The midline shift of a report in millimeters."""

from __future__ import annotations

import re
from dataclasses import dataclass

from monai_ich.learn.report_mentions import Status
from monai_ich.learn.report_sentences import sentences
from monai_ich.learn.report_words import EARLIER_SIZE, SIZE, TERMS, TO_LEFT, TO_RIGHT
from monai_ich.learn.reports import ReportLabels

LARGEST_MM = 30.0
_NOT_TO = re.compile(r"\bnot\s+(?:to\s+)?(?:the\s+)?(?:left|right)\w*", re.I)
_EARLIER = re.compile(r"\b(?:previous(?:ly)?|formerly|before|compared)\b", re.I)


@dataclass(frozen=True)
class ReportShift:
    """A midline shift.

    Args:
        size_mm: without direction.
        toward_right_mm: positive to the patient's right; None where no direction is told.
        start, end: where it stands in the report.
    """

    size_mm: float
    toward_right_mm: float | None
    start: int
    end: int


def find_shift(text: str, labels: ReportLabels) -> ReportShift | None:
    """The shift of today's scan, 0 where a shift is denied; None where none is told in mm.

    >>> from monai_ich.learn.reports import label_report
    >>> text = "5 mm leftward midline shift, previously 8 mm."
    >>> find_shift(text, label_report(text)).toward_right_mm
    -5.0
    """
    mentions = [d for d in labels.decisions if d.finding == "shift"]
    found = []
    for start, end, rank in sentences(text):
        for mention in (d for d in mentions if start <= d.start < end):
            if mention.status is Status.DENIED:
                found.append((rank, ReportShift(0.0, 0.0, mention.start, mention.end)))
            elif mention.status is Status.AFFIRMED:
                shift = _measured(text, start, end, mention.start, mention.end)
                found += [(rank, shift)] if shift is not None else []
    top = max((rank for rank, _ in found), default=None)
    best = [shift for rank, shift in found if rank == top]
    largest = max(best, key=lambda s: s.size_mm, default=None)
    if largest is not None and largest.toward_right_mm is None:  # another section may tell where to
        told = [s for _, s in found if s.size_mm == largest.size_mm and s.toward_right_mm]
        return told[0] if told else largest
    return largest


def _measured(text: str, start: int, end: int, begins: int, ends: int) -> ReportShift | None:
    """The size next to a mention, earlier ones blanked out."""
    sentence = EARLIER_SIZE.sub(lambda m: " " * len(m[0]), text[start:end])
    begins, ends = begins - start, ends - start

    def of_another(size: re.Match[str]) -> bool:
        return TERMS.search(sentence, size.end(), max(size.end(), begins)) is not None

    def away(size: re.Match[str]) -> int:
        if size.start() >= ends:
            return size.start() - ends
        between = sentence[size.end() : begins]
        return len(between) + 50 * bool(re.search(r"\bwith\b|\band\b|,", between))

    near = [size for size in SIZE.finditer(sentence) if not of_another(size)]
    sizes = sorted(near, key=away)
    if not sizes:
        return None
    size_mm = float(sizes[0][1].replace(",", ".")) * (10 if sizes[0][2].lower()[0] == "c" else 1)
    if size_mm > LARGEST_MM:
        return None
    today = _NOT_TO.sub("", _EARLIER.split(text[start:end])[0])
    # "to the left, before to the right": where both are told, that of today
    for words in (sentence, today):
        right, left = TO_RIGHT.search(words), TO_LEFT.search(words)
        if not (right and left):
            break
    sign = 0 if bool(right) == bool(left) else (1 if right else -1)
    signed = sign * size_mm if sign or not size_mm else None
    return ReportShift(size_mm, signed, start + begins, start + ends)
