"""Each mention of a finding in a report, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from monai_ich.learn.report_cues import CUES, EXCEPT, cues_of, words_of
from monai_ich.learn.report_sentences import sentences
from monai_ich.learn.report_words import NORMAL, OUTSIDE, SITES, TERMS

_LABEL = re.compile(r"\s*(?:\(\w+\)\s*)?(:|\?|\s[-\u2013]\s)(.*)", re.S)  # "SDH: ", "SDH? "
_NOTHING = re.compile(r"(?:none|nil|no|negative|absent|present|yes)\s*(?:$|[.,;)])", re.I)
_NO = re.compile(
    r"(?:there\s+(?:is|are)\s+)?(?:none|nil|no|not|absent|negative|without|unremarkable|normal)\b"
    r"(?!\s+(?:\w+\s+){0,3}(?:change|increase))|\(-\)",
    re.I,
)
_YES = re.compile(r"(?:present|yes|positive)\b|\(\+\)", re.I)
_NONE_LEFT = re.compile(
    r"\b(?:no|nil|without)\s+(?:\w+\s+){0,2}(?:resid|persist|remain|recur)", re.I
)
_PLACED = re.compile(
    r"\b(?:in|on|into|within|along|filling|fills|of|at|over|layering|layers|throughout|about)\b(.*)",
    re.I,
)
_FOCUS = re.compile(
    r"(?:focus|foci|area|density|attenuation)\s+(?:in|within|of)\s+([^,]*),\s*(?:\w+\s+){0,5}$",
    re.I,
)
_CONTAINS = re.compile(
    r"([^,.;]*)\b(?:contain(?:s|ed|ing)?|(?:is|are)\s+(?:free|clear|devoid)\s+of)\b[^,.;]*$", re.I
)
_LESION = re.compile(  # "hemorrhage within the left frontal metastasis"
    r"(?:\s+[\w-]+){0,4}?\s+(?:tumou?r|metasta|mass(?!\s+effect)|lesion|gliom|gliobl|infarct|resection\s+(?:cavity|bed))",
    re.I,
)
_AND_IN = re.compile(
    r"(?:\band|\bas\s+well\s+as)\s+(?:also\s+)?(?:in|within|into)\s+"
    r"((?:(?!\b(?:no|not|there|is|are|was|were)\b)[^,.;])*)(?=[,.;]|$)",
    re.I,
)
_NO_BLOOD = re.compile(  # what a collection is instead
    r"^(?!.*\b(?:vs|versus|or)\b).*\b(?:hygroma|effusion|empyema)|(?:,|\bmay\s+represent\b)\s*(?:hygromas?\s+(?:vs|versus|or)\b|(?:[\w-]+\s+){1,4}(?:vs|versus|or)\s+hygroma)",
    re.I | re.S,
)
_IS_DURAL = re.compile(r"\s+(?:is|are|was|were)\s+(?:\w+\s+)?(?:epi|extra|sub)[- ]?dural", re.I)
_ELSEWHERE = re.compile(  # where what a hemorrhage lies in ends
    r"[,:]|\band\b(?=.*\bnoted)|\b(?:not|without|no|but|with|extend\w*|compress\w*|effac\w*)\b",
    re.I,
)
_OF_SKIN = re.compile(rf"\s+(?:of|in)\s+(?:the\s+)?(?:\w+\s+)?{OUTSIDE}", re.I)
_OUTSIDE_LABEL = re.compile(rf"\W*(?:{OUTSIDE}|[\s/])+:", re.I)


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


def read_mentions(text: str) -> Iterator[Decision]:
    """What the sentences that count say of each finding."""
    for start, end, rank in sentences(text):
        yield from _read_sentence(text, start, end, rank)


def _read_sentence(text: str, start: int, end: int, rank: int) -> Iterator[Decision]:
    sentence = text[start:end]
    cues = list(CUES.finditer(sentence))
    normal = NORMAL.search(sentence)
    if normal is not None:
        place = (start + normal.start(), start + normal.end(), rank)
        yield Decision("any", Status.DENIED, *place, normal[0].lower())
    for term in TERMS.finditer(sentence):
        if normal is not None and normal.start() <= term.start() < normal.end():
            continue
        place = (start + term.start(), start + term.end(), rank)
        if term.lastgroup == "central":
            yield Decision("shift", Status.DENIED, *place)
            continue
        status, cue = _status(sentence, term, cues)
        finding = _finding(sentence, term)
        if status is Status.AFFIRMED and "collection" in term[0].lower():
            if _NO_BLOOD.search(sentence[term.end() :]):
                status, cue = Status.SILENT, "collection"
            elif term.lastgroup == "axial":
                status, cue = Status.DOUBTED, "collection"
        yield Decision(finding, status, *place, cue)
        for other in _also_in(sentence, term) - {finding}:
            yield Decision(other, status, *place, cue)


def _finding(sentence: str, term: re.Match[str]) -> str:
    """Of "hemorrhage" and the like what it is by the sites in front of it and behind it."""
    if term.lastgroup != "any":
        return str(term.lastgroup)
    if _OUTSIDE_LABEL.match(sentence) or _OF_SKIN.match(sentence, term.end()):
        return "other"
    if _IS_DURAL.match(sentence, term.end()):  # "the temporal hematoma is epidural"
        return "any"
    before = " ".join(sentence[: term.start()].split()[-4:])
    before = re.split(r"[,:]|\b(?:and|or|no|without|of)\b", before)[-1]
    behind = _ELSEWHERE.split(sentence[term.end() :])[0]
    placed = _PLACED.search(" ".join(behind.split()[:14]))
    focus = _FOCUS.search(sentence, 0, term.start())  # "hyperdense focus in the pons, hemorrhage"
    holder = _CONTAINS.search(sentence, 0, term.start())  # "the ventricles contain blood"
    where = (before, *(found[1] for found in (placed, focus, holder) if found))
    for words in where:
        if name := _site(words):
            return name
    return "IPH" if placed and _LESION.match(placed[1]) else "any"


def _site(words: str) -> str | None:
    return next((name for name, sites in SITES.items() if sites.search(words)), None)


def _also_in(sentence: str, term: re.Match[str]) -> set[str]:
    """Other spaces that blood lies in: "blood in the sulci, as well as within the ventricles"."""
    if term.lastgroup not in ("any", "SAH", "IPH"):
        return set()
    places = [place[1] for place in _AND_IN.finditer(sentence, term.end())]
    if placed := _PLACED.search(_ELSEWHERE.split(sentence[term.end() :])[0]):
        places.append(placed[1])
    return {name for name in ("SAH", "IVH") if any(SITES[name].search(words) for words in places)}


def _status(sentence: str, term: re.Match[str], cues: list[re.Match[str]]) -> tuple[Status, str]:
    """By the answer behind a label ("SDH: none"), else by the cues that reach the term, the
    strongest first.
    """
    answer = _answer(sentence, term)
    if answer is not None:
        if (no := _NO.match(answer)) is not None:
            return Status.DENIED, no[0].lower()
        if not _YES.match(answer) and (not answer or TERMS.search(answer)):
            return Status.SILENT, "label"
    reaching = {kind: words_of(cue) for kind, cue in cues_of(sentence, term, cues).items()}
    left = "left" in reaching and not _NONE_LEFT.search(sentence)
    if "not_pre" in reaching and EXCEPT.match(sentence, term.end()):
        return Status.SILENT, "except"
    for kinds, status in (
        (("mistaken_post",), Status.DENIED),
        (("new", "asked"), Status.SILENT),
        (("doubt_pre", "doubt_post", "versus"), Status.DOUBTED),
        (("not_pre", "gone_pre", "gone_post", "gone"), Status.DENIED),
        (("old", "old_post"), Status.SILENT),
    ):
        for kind in kinds:
            if kind in reaching and not (left and kind.startswith("gone")):
                return status, " ".join(reaching[k] for k in (kind, "left") if k in reaching)
    if "removed" in reaching and not left:
        return Status.REMOVED, reaching["removed"]
    return Status.AFFIRMED, ""


def _answer(sentence: str, term: re.Match[str]) -> str | None:
    """What stands behind a label, or behind a dash where that is an answer; None where the term is
    no label.
    """
    label = _LABEL.match(sentence, term.end())
    if label is None or len(sentence[: term.start()].split()) > 5:
        return None
    answer: str = re.split(r"\b[\w-]+:", label[2])[0].strip()
    is_dash = label[1] not in (":", "?")  # "SDH - no mass effect" is no answer
    return None if is_dash and not _NOTHING.match(answer) else answer
