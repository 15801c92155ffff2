"""The sections of a report that count, and their sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from monai_ich.learn.report_words import TERMS

_SILENT = (
    "clin(?:ical)?(?: [a-z]+)?|history|hx|indications?|reason(?: for [a-z]+)?"
    "|technique|protocol"
    "|procedure|comparisons?|exam(?:ination)?|study|contrast|dose|referral|request"
)
_BODY = (
    "(?:ct )?(?:head |brain )?findings?|(?:original )?report|ct(?: head| brain)?|head|brain"
    "|intracranial|parenchyma"
    "|extra-?axial(?: spaces?| collections?)?|ventricles|ventricular system|brain parenchyma"
    "|description|results?"
)
_FIRST = (
    "(?:findings?(?: and | ?/ ?|, ))?impressions?|imp|conclusions?|opinion|summary"
    "|interpretation|comment"
)
_ADDENDA = "addend(?:um|a)(?: [a-z#0-9]+){0,3}"
_HEADINGS = re.compile(
    rf"(?:^|(?<=\n)|(?<=[.;]\s)|(?<=[.;]\s\s))[ \t*=_#-]*(?:(?P<silent>{_SILENT})"
    rf"|(?P<body>{_BODY})"
    rf"|(?P<first>{_FIRST})|(?P<addendum>{_ADDENDA}))(?:[ \t*=_#-]|\([^)\n]*\))*(?::|\n)",
    re.I,
)

ADDENDUM = 3  # rank of what counts before all else
_LONGEST = 1500  # characters of a sentence
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


def sentences(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and rank of each sentence that counts."""
    marks = list(_HEADINGS.finditer(text))
    kinds = [m.lastgroup for m in marks]
    parts = [(0, marks[0].start() if marks else len(text), 0 if "body" in kinds else 1)]
    for n, mark in enumerate(marks):
        stop = marks[n + 1].start() if n + 1 < len(marks) else len(text)
        rank = {"body": 1, "first": 2, "addendum": ADDENDUM}.get(str(mark.lastgroup))
        if rank is not None:
            parts.append((mark.end(), stop, rank))
        else:
            section = text[mark.end() : stop]
            begin = _answers_after(section)
            if begin is None and "body" not in kinds[n + 1 :]:
                begin = _body_after(section)
            if begin is not None:
                parts.append((mark.end() + begin, stop, 1))
    for begin, stop, rank in parts:
        at = begin
        for end in _ENDS.finditer(text, begin, stop):
            if end.start() - at > _LONGEST or not _goes_on(text, end):
                yield from _pieces(text, at, end.start(), rank)
                at = end.end()
        yield from _pieces(text, at, stop, rank)


def _pieces(text: str, start: int, end: int, rank: int) -> Iterator[tuple[int, int, int]]:
    """A sentence; what is too long to be one in pieces, since cues are tried on each finding."""
    while end - start > _LONGEST:
        cut = text.rfind(" ", start + 1, start + _LONGEST)
        cut = start + _LONGEST if cut < 0 else cut
        yield start, cut, rank
        start = cut
    yield start, end, rank


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


def _answers_after(section: str) -> int | None:
    """Where lines with answers about findings begin behind a section: "Hemorrhage: None"."""
    lines = re.finditer(r"^[ \t]*([^\n:]{3,40}):", section, re.M)
    found = (line.start() for line in lines if line.start() and TERMS.search(line[1]))
    return next(found, None)


def _body_after(section: str) -> int | None:
    """Where a body without a heading begins behind a section: after an empty line, else after the
    first line that holds something, else after the first sentence.
    """
    ends = (r"\S.*?\n\s*\n", r"\S[^\n]*\n", r"\S.*?[.?](?=\s+[A-Z])")
    found = next((m for end in ends if (m := re.search(end, section, re.S))), None)
    return found.end() if found and section[found.end() :].strip() else None
