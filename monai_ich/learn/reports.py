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
from enum import IntEnum

from monai_ich.core.labels import Subtype
from monai_ich.learn.report_words import CUES, HEADINGS, NORMAL, REACH, SITES, TERMS

SUBTYPES = tuple(s.name for s in Subtype)
_AXIAL = ("EDH", "SDH")
_OF_IT = re.compile(r"\W*(?:(?:and|or|which|that|is|are|was|were|has|have|now)\b\W*)*", re.I)
_OF_BLOOD_ALONE = re.compile(r"old|remote|prior|previous|burr|craniotom|craniectom", re.I)
_PARTLY = re.compile(r"\bacute|\bother|\bnew|\blarge|\bgross", re.I)
_DENSE = re.compile(r"hyper-?dens|high[- ](?:density|attenuation)|hyper-?attenuat|\bdense\b", re.I)
_NO_DOUBT = ("suggest", "suspic", "concern")  # "nothing to suggest", "no suspicion of": a denial


class Status(IntEnum):
    """What a report says of a finding; of two in a section the higher counts."""

    SILENT = 0  # "no new", history, an old bleed: nothing of today
    REMOVED = 1  # evacuated, and nothing said of what is left
    DENIED = 2
    DOUBTED = 3
    AFFIRMED = 4


@dataclass(frozen=True)
class Decision:
    """One mention.

    Args:
        finding: a subtype's name, ``"any"``, ``"axial"`` (EDH or SDH), ``"other"`` or ``"shift"``.
        status: what is said of it.
        start, end: the mention in the report, in characters from 0.
        rank: of its section: 3 addendum, 2 impression, 1 findings.
        cue: the words that decided; empty where a finding is only named.
    """

    finding: str
    status: Status
    start: int
    end: int
    rank: int
    cue: str = ""


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
    decisions = tuple(sorted(_read(text), key=lambda d: d.start))
    said = {name: _said(decisions, name) for name in (*SUBTYPES, "axial", "any", "other")}
    said |= dict.fromkeys(_overruled(text, decisions, said), Status.DENIED)
    if said["any"] is None and _denies_all(text, said):
        said["any"] = Status.DENIED
    nothing_left = any(
        d.finding == "any" and d.status is Status.DENIED and "residual" in d.cue for d in decisions
    )
    if nothing_left:
        said |= {k: Status.DENIED for k, status in said.items() if status is Status.REMOVED}
    found: dict[str, int | None] = {name: _value(said[name]) for name in SUBTYPES}
    named_axial = Status.AFFIRMED in (said["EDH"], said["SDH"])  # it is what was found outside
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


def _said(decisions: tuple[Decision, ...], name: str) -> Status | None:
    """The highest status in the section that counts most; None where nothing is said. Of other
    pathology, which is many things, in any section.
    """
    of_it = [d for d in decisions if d.finding == name and d.status is not Status.SILENT]
    if not of_it:
        return None
    top = max(d.rank for d in of_it)
    return max(d.status for d in of_it if d.rank == top or name == "other")


def _overruled(
    text: str, decisions: tuple[Decision, ...], said: Mapping[str, Status | None]
) -> Iterator[str]:
    """Findings that are doubted, but the impression denies all hemorrhage, not only acute one."""
    denied = [
        d.rank
        for d in decisions
        if (d.finding, d.status) == ("any", Status.DENIED)
        and not _PARTLY.search(text[max(0, d.start - 25) : d.end])
    ]
    for name in (*SUBTYPES, "axial"):
        top = max((d.rank for d in decisions if d.finding == name), default=0)
        if said[name] is Status.DOUBTED and top < max(denied, default=0):
            yield name


def _denies_all(text: str, said: Mapping[str, Status | None]) -> bool:
    """Hemorrhage is denied in the brain, or in two places outside of it, and nothing else said."""
    status = {name: said[name] for name in (*SUBTYPES, "axial")}
    if set(status.values()) - {None, Status.DENIED} or _DENSE.search(text):
        return False
    return said["IPH"] is not None or sum(v is not None for v in status.values()) >= 2


def _value(status: Status | None) -> int | None:
    return {Status.AFFIRMED: 1, Status.DENIED: 0}.get(status) if status is not None else None


def _read(text: str) -> Iterator[Decision]:
    for start, end, rank in sentences(text):
        yield from _read_sentence(text, start, end, rank)


def sentences(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and rank of each sentence that counts."""
    marks = list(HEADINGS.finditer(text))
    kinds = [m.lastgroup for m in marks]
    has_body = any(kind in ("body", "first", "addendum") for kind in kinds)
    first = marks[0].start() if marks else len(text)
    parts = [(0, first, 1)] if "body" not in kinds or not has_body else []
    for n, mark in enumerate(marks):
        stop = marks[n + 1].start() if n + 1 < len(marks) else len(text)
        rank = {"body": 1, "first": 2, "addendum": 3}.get(str(mark.lastgroup))
        if rank is not None:
            parts.append((mark.end(), stop, rank))
        elif "body" not in kinds and (begin := _body_after(text[mark.end() : stop])):
            parts.append((mark.end() + begin, stop, 1))
    for begin, stop, rank in parts:
        at = begin
        for mark in re.finditer(
            r"[.!;](?=\s|$)(?<!w/o\.)|\n\s*\n|\n\s*(?=\d+[.)]|[-*•])", text[begin:stop]
        ):
            yield at, begin + mark.start(), rank
            at = begin + mark.end()
        yield at, stop, rank


def _body_after(section: str) -> int:
    """Where a body without a heading begins behind a section: after an empty line, else after the
    first line that holds something; 0 where there is none.
    """
    empty = re.search(r"\S.*?\n\s*\n", section, re.S)
    line = re.search(r"\S[^\n]*\n", section)
    found = empty or line
    return found.end() if found and section[found.end() :].strip() else 0


def _read_sentence(text: str, start: int, end: int, rank: int) -> Iterator[Decision]:
    sentence = text[start:end]
    cues = list(CUES.finditer(sentence))
    normal = NORMAL.search(sentence)
    if normal is not None:
        yield Decision(
            "any",
            Status.DENIED,
            start + normal.start(),
            start + normal.end(),
            rank,
            normal[0].lower(),
        )
    for term in TERMS.finditer(sentence):
        if normal is not None and normal.start() <= term.start() < normal.end():
            continue
        status, cue = _status(sentence, term, cues)
        if term.lastgroup == "central":
            yield Decision("shift", Status.DENIED, start + term.start(), start + term.end(), rank)
            continue
        if term.lastgroup == "axial" and status is Status.AFFIRMED and "collection" in term[0]:
            status, cue = Status.DOUBTED, "collection"  # it may be a hygroma
        for name in _classes(sentence, term):
            yield Decision(name, status, start + term.start(), start + term.end(), rank, cue)


def _classes(sentence: str, term: re.Match[str]) -> list[str]:
    """Of "hemorrhage" and the like what it is by the sites in front of it and behind it."""
    if term.lastgroup != "any":
        return [str(term.lastgroup)]
    before = " ".join(sentence[: term.start()].split()[-4:])
    before = re.split(r"[,:]|\b(?:and|or|no|without|of)\b", before)[-1]
    in_front = [name for name, sites in SITES.items() if sites.search(before)]
    if in_front:
        return in_front[:1]
    behind = re.split(r"[,:]|\band\b(?=.*\bnoted)", sentence[term.end() :])[0]
    behind = " ".join(behind.split()[:14])
    placed = re.search(
        r"\b(?:in|into|within|along|filling|fills|of|at|over|layering|layers|throughout|about)\b(.*)",
        behind,
        re.I,
    )
    if placed is None:
        return ["any"]
    return [name for name, sites in SITES.items() if sites.search(placed[1])][:1] or ["any"]


def _status(sentence: str, term: re.Match[str], cues: list[re.Match[str]]) -> tuple[Status, str]:
    """By the cues whose reach holds the term, the strongest first."""
    near = {str(c.lastgroup): c for c in cues if _reaches(sentence, c, term, cues)}
    if term.lastgroup == "other":  # an old infarct is there; a bone flap removes none
        near = {k: c for k, c in near.items() if not _OF_BLOOD_ALONE.match(c[0])}
    reaching = {kind: cue[0].lower() for kind, cue in near.items()}
    if {"not_pre", "doubt_pre"} <= set(near) and reaching["doubt_pre"].startswith(_NO_DOUBT):
        del reaching["doubt_pre"]
    for kinds, status in (
        (("new", "asked"), Status.SILENT),
        (("doubt_pre", "doubt_post", "versus"), Status.DOUBTED),
        (("not_pre", "gone_pre", "gone_post", "gone"), Status.DENIED),
        (("old",), Status.SILENT),
    ):
        for kind in kinds:
            if kind in reaching:
                return status, " ".join(reaching[k] for k in (kind, "left") if k in reaching)
    if "removed" in reaching and "left" not in reaching:
        return Status.REMOVED, reaching["removed"]
    return Status.AFFIRMED, ""


def _reaches(
    sentence: str, cue: re.Match[str], term: re.Match[str], cues: list[re.Match[str]]
) -> bool:
    kind = str(cue.lastgroup)
    if kind in ("pseudo", "stop"):
        return False
    forward = cue.end() <= term.start()
    if not forward and cue.start() < term.end():
        return False
    both = kind in ("versus", "gone", "removed", "left")
    if not both and forward == kind.endswith("_post"):
        return False
    low, high = sorted(((cue.start(), cue.end()), term.span()))
    between = sentence[low[1] : high[0]]
    nearest = TERMS.sub("", between.rpartition(",")[2]) if "," in between else ""
    if kind == "gone_post" and not _OF_IT.fullmatch(nearest):
        return False  # "SAH, the source is not seen"
    if kind == "versus" and "," in between:
        return False
    if len(between.split()) > REACH.get(kind, 99):
        return False
    stops = [c for c in cues if c.lastgroup in ("stop", "new") and low[1] <= c.start() < high[0]]
    return not stops
