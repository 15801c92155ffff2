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
from monai_ich.learn.report_cues import CUES, cues_of
from monai_ich.learn.report_words import HEADINGS, NORMAL, OUTSIDE, SITES, TERMS

SUBTYPES = tuple(s.name for s in Subtype)
_AXIAL = ("EDH", "SDH")
_LABEL = re.compile(r"\s*(?:\(\w+\)\s*)?(?::|\?|\s[-\u2013]\s)(.*)", re.S)  # "SDH: ", "SDH? "
_NO = re.compile(
    r"(?:there\s+(?:is|are)\s+)?(?:none|nil|no|not|absent|negative|without|unremarkable|normal)\b"
    r"(?!\s+(?:\w+\s+){0,3}(?:change|increase))|\(-\)",
    re.I,
)
_YES = re.compile(r"(?:present|yes|positive)\b|\(\+\)", re.I)
_NONE_LEFT = re.compile(
    r"\b(?:no|nil|without)\s+(?:\w+\s+){0,2}(?:resid|persist|remain|recur)", re.I
)
_ENDS = re.compile(
    r"[.!;](?=\s|$)(?<!w/o\.)(?<!\bvs\.)|\n\s*\n|\n\s*(?=\d+[.)]|[-*\u2022])|(?P<line>\n\s*)(?=[A-Z])"
    r"|\s+(?=\d\)\s+[A-Z])"
)
_WRAPPED = re.compile(  # words that do not end a line of their own
    r".*[,/(-]|of|the|an?|no|or|nor|and|with|without|in|for|to|by|from|at|on|is|are|evidence|acute"
    r"|subacute|chronic|new|small|large|tiny|left|right|bilateral|intracranial|midline|any|definite"
    r"|significant|Dr\.",
    re.I,
)
_OF_THE_SAME = re.compile(
    r"\s+(?:(?:this|it|these|they)\s+(?:has|have|is|are)\s+(?:\w+\s+)?|now\s+)"
    r"(?:resolved|cleared|resorbed|no\s+longer|not\s+(?:seen|identified|visuali[sz]ed))",
    re.I,
)
_OUTSIDE_LABEL = re.compile(rf"\W*(?:{OUTSIDE}|[\s/])+:", re.I)
_PARTLY = re.compile(r"\bacute|\bother|\bnew|\blarge|\bgross", re.I)
_DENSE = re.compile(  # what may be blood without a name
    r"(?:\bhyper-?|\b)dens(?:e|ity)\b(?!\s+(?:\w+\s+){0,3}(?:mca|vessel|artery|sinus|basilar|bone))"
    r"|high[- ]attenuation|hyper-?attenuat",
    re.I,
)


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
        rank: of its section: 3 addendum, 2 impression, 1 findings, 0 in front of all sections.
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
    """Findings that are doubted, but the impression denies all hemorrhage, not only acute one; and
    those that only the words in front of all sections tell of, where a section denies any.
    """
    denied = [d for d in decisions if (d.finding, d.status) == ("any", Status.DENIED)]
    plain = [d.rank for d in denied if not _PARTLY.search(text[max(0, d.start - 25) : d.end])]
    for name in (*SUBTYPES, "axial"):
        top = max((d.rank for d in decisions if d.finding == name), default=0)
        in_front = said[name] is not None and top == 0
        doubted = said[name] is Status.DOUBTED and top < max(plain, default=0)
        if doubted or (in_front and any(d.rank for d in denied)):
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
    parts = [(0, marks[0].start() if marks else len(text), 0 if "body" in kinds else 1)]
    for n, mark in enumerate(marks):
        stop = marks[n + 1].start() if n + 1 < len(marks) else len(text)
        rank = {"body": 1, "first": 2, "addendum": 3}.get(str(mark.lastgroup))
        if rank is not None:
            parts.append((mark.end(), stop, rank))
        elif "body" not in kinds and (begin := _body_after(text[mark.end() : stop])):
            parts.append((mark.end() + begin, stop, 1))
    for begin, stop, rank in parts:
        at = begin
        for end in _ENDS.finditer(text, begin, stop):
            if not _goes_on(text, end):
                yield at, end.start(), rank
                at = end.end()
        yield at, stop, rank


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether a sentence goes on behind what looks like its end: a line that is wrapped, or a next
    sentence of the same ("A small SAH was there. This has resolved.").
    """
    if "\n" not in end[0]:
        return end[0] in ".;" and bool(_OF_THE_SAME.match(text, end.end()))
    if end["line"] is None:
        return False
    before = text[: end.start()].rsplit(None, 1)[-1:]
    if re.match(r"[A-Za-z /-]+:", text[end.end() :]):
        return False
    return text.isupper() or not before or bool(_WRAPPED.fullmatch(before[0]))


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
    if _OUTSIDE_LABEL.match(sentence):
        return ["other"]
    before = " ".join(sentence[: term.start()].split()[-4:])
    before = re.split(r"[,:]|\b(?:and|or|no|without|of)\b", before)[-1]
    in_front = [name for name, sites in SITES.items() if sites.search(before)]
    if in_front:
        of_skin = re.match(
            r"\s+(?:of|in)\s+(?:the\s+)?(?:\w+\s+)?" + OUTSIDE, sentence[term.end() :], re.I
        )
        return ["other"] if of_skin else in_front[:1]
    behind = re.split(r"[,:]|\band\b(?=.*\bnoted)", sentence[term.end() :])[0]
    behind = " ".join(re.split(r"\bnot\b|\bwithout\b|\bno\b", behind)[0].split()[:14])
    placed = re.search(
        r"\b(?:in|on|into|within|along|filling|fills|of|at|over|layering|layers|throughout|about)\b(.*)",
        behind,
        re.I,
    )
    if placed is None:
        return ["any"]
    return [name for name, sites in SITES.items() if sites.search(placed[1])][:1] or ["any"]


def _status(sentence: str, term: re.Match[str], cues: list[re.Match[str]]) -> tuple[Status, str]:
    """By the answer behind a label ("SDH: none"), else by the cues that reach the term, the
    strongest first.
    """
    label = _LABEL.match(sentence, term.end())
    if label is not None and len(sentence[: term.start()].split()) <= 5:
        answer = re.split(r"\b[\w-]+:", label[1])[0].strip()
        if _NO.match(answer):
            return Status.DENIED, answer[:20].lower()
        if not _YES.match(answer) and (not answer or TERMS.search(answer)):
            return Status.SILENT, "label"
    reaching = {kind: cue[0].strip().lower() for kind, cue in cues_of(sentence, term, cues).items()}
    left = "left" in reaching and not _NONE_LEFT.search(sentence)
    for kinds, status in (
        (("new", "asked"), Status.SILENT),
        (("doubt_pre", "doubt_post", "versus"), Status.DOUBTED),
        (("not_pre", "gone_pre", "gone_post", "gone"), Status.DENIED),
        (("old",), Status.SILENT),
    ):
        for kind in kinds:
            if kind in reaching and not (left and kind.startswith("gone")):
                return status, " ".join(reaching[k] for k in (kind, "left") if k in reaching)
    if "removed" in reaching and "left" not in reaching:
        return Status.REMOVED, reaching["removed"]
    return Status.AFFIRMED, ""
