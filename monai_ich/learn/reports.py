"""Exam labels from written reports, by rules in the manner of ConText.

A finding counts as its report states it: in which section, denied or doubted, old, resolved,
removed. What a report leaves open is not known, and no loss counts it.

References:
    Harkema 2009, ConText, doi:10.1016/j.jbi.2009.05.002
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monai_ich.core.labels import Subtype
from monai_ich.learn.report_mentions import Decision, Status, read_mentions
from monai_ich.learn.report_sentences import ADDENDUM

SUBTYPES = tuple(s.name for s in Subtype)
_AXIAL = ("EDH", "SDH")
_PARTLY = re.compile(r"\bacute|\bother|\bnew|\blarge|\bgross", re.I)
_DENSE = re.compile(  # what may be blood without a name
    r"(?:\bhyper-?|(?<!low )(?<!low-)\b)dens(?:e|ity)\b"
    r"(?!\s+(?:\w+\s+){0,3}(?:mca|m[12]|ica|vessel|artery|sinus|basilar|bone))"
    r"|high[- ]attenuation|hyper-?attenuat",
    re.I,
)
_GONE = re.compile(r"resol|clear|disappear|gone|no longer", re.I)
_LEFT = re.compile(r"residual|recurr", re.I)
_NOT_NEW = re.compile(r"\b(?:no|nil|without)\s+(?:\w+\s+){0,3}(?:new|residual|recurr\w+)\b", re.I)


@dataclass(frozen=True)
class ReportLabels:
    """What a report says.

    Args:
        findings: each subtype, ``"any"`` and ``"other"`` (pathology) to 1 present, 0 absent, None
            not known.
        decisions: in the order of the text.
    """

    findings: Mapping[str, int | None]
    decisions: tuple[Decision, ...]


def label_report(text: str) -> ReportLabels:
    """Read a report in English.

    The impression counts before the findings, an addendum before both; indication, history,
    technique and comparison do not count. A report that names a subtype, surely or not, lists what
    is there: subtypes that it does not name are absent. One that only says "hemorrhage" leaves all
    subtypes open; one that denies hemorrhage, or is normal, denies all of them.

    >>> label_report("No acute hemorrhage.").findings["SDH"]
    0
    >>> label_report("Possible small SDH.").findings["SDH"] is None
    True
    """
    decisions = tuple(sorted(read_mentions(text), key=lambda d: d.start))
    today = [d for d in decisions if d.status is not Status.SILENT]
    said = {name: _said(today, name) for name in (*SUBTYPES, "axial", "any", "other")}
    denied = [d for d in today if (d.finding, d.status) == ("any", Status.DENIED)]
    said |= dict.fromkeys(_overruled(text, today, denied, said), Status.DENIED)
    if said["any"] is None and _denies_all(text, today, said):
        said["any"] = Status.DENIED
    if any(_LEFT.search(d.cue) for d in denied):  # nothing is left of what was removed
        said |= {k: Status.DENIED for k, status in said.items() if status is Status.REMOVED}
    found: dict[str, int | None] = {name: _value(said[name]) for name in SUBTYPES}
    # what was found outside of the brain
    named_axial = not {Status.AFFIRMED, Status.DOUBTED}.isdisjoint((said["EDH"], said["SDH"]))
    for name in _AXIAL:
        if said[name] is None and said["axial"] is not None:
            found[name] = 0 if said["axial"] is Status.DENIED or named_axial else None
    open_status = [said["any"], None if said["EDH"] or said["SDH"] else said["axial"]]
    named = any(said[name] not in (None, Status.DENIED) for name in SUBTYPES)
    sure = any(said[name] is Status.AFFIRMED for name in SUBTYPES)
    is_open = not sure and Status.AFFIRMED in open_status
    for name in SUBTYPES:
        if said[name] is None and (name not in _AXIAL or said["axial"] is None):
            listed = named or said["any"] is Status.DENIED
            found[name] = 0 if listed and not is_open else None
    found["any"] = _any(found, said)
    known = any(value is not None for value in found.values())
    found["other"] = _value(said["other"]) if said["other"] is not None else (0 if known else None)
    return ReportLabels(found, decisions)


def _any(found: Mapping[str, int | None], said: Mapping[str, Status | None]) -> int | None:
    if 1 in found.values() or Status.AFFIRMED in (said["any"], said["axial"]):
        return 1
    doubted = [said[name] for name in (*SUBTYPES, "axial", "any")]
    if Status.DOUBTED in doubted or Status.REMOVED in doubted:
        return None
    return 0 if all(found[name] == 0 for name in SUBTYPES) else None


def _said(today: list[Decision], name: str) -> Status | None:
    """The highest status in the section that counts most; None where nothing is said. Of other
    pathology, which is many things, in any section.
    """
    of_it = [d for d in today if d.finding == name]
    if not of_it:
        return None
    of_it = [d for d in of_it if d.cue != "?"] or of_it  # a question may be answered
    of_it = [d for d in of_it if d.status is not Status.REMOVED] or of_it  # what is left counts
    top = max(d.rank for d in of_it)
    return max(d.status for d in of_it if d.rank == top or name == "other")


def _overruled(
    text: str, today: list[Decision], denied: list[Decision], said: Mapping[str, Status | None]
) -> Iterator[str]:
    """Findings that are doubted, but the impression denies all hemorrhage, not only acute one; that
    are there, but an addendum denies all; and that only the words in front of all sections tell of,
    where a section denies any. `denied`: hemorrhage of any kind.
    """
    plain = [d.rank for d in denied if not _PARTLY.search(text[max(0, d.start - 25) : d.end])]
    for name in (*SUBTYPES, "axial"):
        of_it = [d for d in today if d.finding == name]
        top = max((d.rank for d in of_it), default=0)
        in_front = said[name] is not None and top == 0
        asked = all(d.cue == "?" for d in of_it)
        highest = max(plain, default=0)
        doubted = said[name] is Status.DOUBTED and top < highest + asked
        corrected = top < highest == ADDENDUM
        if doubted or corrected or (in_front and any(d.rank for d in denied)):
            yield name


def _denies_all(text: str, today: list[Decision], said: Mapping[str, Status | None]) -> bool:
    """Nothing is said to be there, and what was there has resolved, with nothing new or left; or
    hemorrhage is denied in the brain, or in two places outside of it.
    """
    statuses = [said[name] for name in (*SUBTYPES, "axial")]
    if set(statuses) - {None, Status.DENIED}:
        return False
    gone = any(_GONE.search(d.cue) for d in today if d.status is Status.DENIED)
    if gone and _NOT_NEW.search(text):
        return True
    count = sum(status is not None for status in statuses)
    return (said["IPH"] is not None or count >= 2) and (count >= 3 or not _DENSE.search(text))


def _value(status: Status | None) -> int | None:
    return {Status.AFFIRMED: 1, Status.DENIED: 0}.get(status) if status is not None else None
