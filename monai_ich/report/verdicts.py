"""What publications ask of a scan: criteria, signs and scores, each answer with its numbers or the
reason why there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from monai_ich.core.exam import Criterion, ExamMeasurements, Score
from monai_ich.core.measurement import Measurement
from monai_ich.measure.scores import part_words
from monai_ich.report.page import as_table
from monai_ich.report.wording import MET

_ORDER = (True, None, False)
_SIGN = {True: "present", None: "not decidable", False: "absent"}


def criteria_table(exam: ExamMeasurements) -> str:
    """Published criteria as facts, those that are met first."""
    return _table("Criterion", exam.criteria, MET)


def sign_table(exam: ExamMeasurements) -> str:
    """Signs of the largest IPH, those that are present first; one sentence where none was judged,
    all for one reason.
    """
    reasons = {sign.because for sign in exam.signs if sign.met is None}
    if all(sign.met is None for sign in exam.signs) and len(reasons) <= 1:
        return f"<p>Not judged: {escape(''.join(reasons) or 'there is no IPH')}.</p>"
    index = next((x.irregularity_index for x in exam.lesions if x.irregularity_index), None)
    shape = "" if index is None else f"<p>Hematoma irregularity index {index:.0f}; a ball: 100.</p>"
    return _table("Sign", exam.signs, _SIGN) + shape


def _table(name: str, verdicts: Iterable[Criterion], words: dict[bool | None, str]) -> str:
    rows = [
        (
            escape(v.title or v.id),
            words[v.met],
            escape(v.because),
            f"<small>{escape(v.source)}</small>",
        )
        for v in sorted(verdicts, key=lambda v: _ORDER.index(v.met))
    ]
    return as_table((name, "State", "Because", "Source"), rows)


def score_table(exam: ExamMeasurements) -> str:
    """Published scores: the parts that are known, and why the others are not; complete ones
    first.
    """
    scores = sorted(exam.scores, key=_is_open)
    header = ("Score", "Total", "Known parts", "Not known")
    return as_table(header, map(_score_row, scores), numbers=(1,))


def _is_open(score: Score) -> bool:
    return score.total is None or score.total.value is None


def _score_row(score: Score) -> tuple[str, str, str, str]:
    known = [
        f"{part_words(score, part.name)} {_amount(part)}"
        for part in score.components
        if part.value is not None
    ]
    open_ = [
        f"{', '.join(part_words(score, part) for part in parts)}: {escape(why)}"
        for why, parts in score.unknown.items()
        if parts != ["total"] or len(score.unknown) == 1  # else the other lines say it
    ]
    total = "not defined" if score.total is None else "not known"
    if score.total is not None and score.total.value is not None:
        total = f"{score.total.value:g}"
    title = f"{score.title}<br><small>{escape(score.source)}</small>"
    return title, total, ", ".join(known), f"<small>{'<br>'.join(open_)}</small>" if open_ else ""


def _amount(part: Measurement) -> str:
    """For example ``"2"``, ``"49 %"`` or ``"32.5 mL"``."""
    assert part.value is not None
    if part.name.endswith("_share"):
        return f"{100 * part.value:.0f} %"
    return f"{part.value:g}" if part.unit == "1" else f"{part.value:.1f} {part.unit}"
