"""Yes, no, or not decidable, each with the numbers or the reason behind it."""

from __future__ import annotations

from dataclasses import dataclass

_DIGITS = 6  # finer than any voxel; what is beyond comes from floating-point arithmetic


@dataclass(frozen=True)
class Verdict:
    """An answer with three values.

    Args:
        met: None where it cannot be decided.
        because: the numbers behind it, or why it cannot be decided.
    """

    met: bool | None
    because: str


def all_of(*verdicts: Verdict) -> Verdict:
    """Kleene's "and": the first "no" decides; else what is open leaves the whole open.

    >>> all_of(Verdict(None, "the side is unknown"), Verdict(False, "no SDH"))
    Verdict(met=False, because='no SDH')
    >>> all_of(Verdict(None, "the side is unknown"), Verdict(True, "SDH 3.0 mL")).met is None
    True
    """
    for verdict in verdicts:
        if verdict.met is False:
            return verdict
    met = None if any(v.met is None for v in verdicts) else True
    return Verdict(met, _joined(verdicts))


def any_of(*verdicts: Verdict) -> Verdict:
    """Kleene's "or": the first "yes" decides; else what is open leaves the whole open.

    >>> any_of(Verdict(False, "no SAH"), Verdict(None, "no anatomy labels were given")).met is None
    True
    """
    for verdict in verdicts:
        if verdict.met:
            return verdict
    met = None if any(v.met is None for v in verdicts) else False
    return Verdict(met, _joined(verdicts))


def _joined(verdicts: tuple[Verdict, ...]) -> str:
    return "; ".join(dict.fromkeys(v.because for v in verdicts))


def compare(
    words: str, value: float, limit: float, unit: str, *, at_limit: bool = False
) -> Verdict:
    """Whether a number is above its limit, in words with as many digits as make that believable.

    Args:
        words: what was measured; ``{}`` stands for the number and its unit.
        value, limit: in `unit`.
        unit: as it is printed.
        at_limit: whether the limit itself counts, as "at least" does.

    >>> compare("EDH {}", 29.999, 30, "mL")
    Verdict(met=False, because='EDH 29.999 mL, limit > 30 mL')
    >>> compare("IPH {}", 30.0, 30, "mL", at_limit=True)
    Verdict(met=True, because='IPH 30.0 mL, limit >= 30 mL')
    """
    value = round(value, _DIGITS)
    met = value >= limit if at_limit else value > limit
    number = words.format(f"{beside(value, limit)} {unit}")
    return Verdict(met, f"{number}, limit {'>=' if at_limit else '>'} {limit:g} {unit}")


def beside(value: float, *limits: float) -> str:
    """A number with one digit, or as many as keep it on its side of each limit.

    >>> beside(12.34, 30), beside(29.96, 30), beside(0.004, 0.0, 0.1)
    ('12.3', '29.96', '0.004')
    """
    for digits in range(1, _DIGITS):
        shown = round(value, digits)
        if all((shown > x) == (value > x) and (shown < x) == (value < x) for x in limits):
            return f"{value:.{digits}f}"
    return f"{value:.{_DIGITS}f}"
