"""Masks and a second reading side by side: where they disagree, a reader must look."""

from __future__ import annotations

from dataclasses import replace

from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.measurement import NotMeasurable, share_words
from monai_ich.core.presence import Presence
from monai_ich.core.provenance import Notice
from monai_ich.core.second_reading import SecondReading


def read_twice(exam: ExamMeasurements, reading: SecondReading | NotMeasurable) -> ExamMeasurements:
    """The exam with a second reading, and with a warning where the two disagree: one finds what the
    other rules out. What either leaves open is no disagreement.
    """
    exam = replace(exam, second_reading=reading)
    if isinstance(reading, NotMeasurable) or not exam.disagreements:
        return exam
    masks = {f.subtype.name: f.presence for f in exam.subtypes} | {"any": exam.presence}
    said = [
        f"{'hemorrhage' if name == 'any' else name} is "
        f"{'outlined' if masks[name] is Presence.FOUND else 'not outlined'} "
        f"(second reading: {share_words(reading.probabilities[name])})"
        for name in exam.disagreements
    ]
    message = (
        f"A second network, which reads slices, disagrees with the masks: {'; '.join(said)}. Look "
        "at the slices."
    )
    return replace(exam, warnings=(*exam.warnings, Notice("SECOND_READING_DISAGREES", message)))
