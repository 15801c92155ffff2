"""REDCap's rules for a data dictionary, as far as they are published: `find_faults` says what an
upload would refuse or change.

References:
    REDCap, Help & FAQ, "Data Dictionary" (Vanderbilt University): 18 columns; the first field is
    the record's name; field names of at most 26 lower case letters, digits and underscores.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

HEADER = [
    *("Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label"),
    *("Choices, Calculations, OR Slider Labels", "Field Note"),
    *("Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max"),
    *("Identifier?", "Branching Logic (Show field only if...)", "Required Field?"),
    *("Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?"),
    "Field Annotation",
]
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")  # no double, leading or trailing underscore
LONGEST = 26
FORM = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
TYPES = {"text", "notes", "calc", "dropdown", "radio", "checkbox", "yesno", "truefalse", "file"}
TYPES |= {"slider", "descriptive", "sql"}
WITH_CHOICES = {"dropdown", "radio", "checkbox"}
CHOICE = re.compile(r"\s*-?[A-Za-z0-9_.]+\s*,\s*\S.*")
DATES = {f"{kind}_{order}" for kind in ("date", "datetime") for order in ("dmy", "mdy", "ymd")}
VALIDATIONS = {"", "number", "integer", "email", "phone", "time", "zipcode", "alpha_only", *DATES}
VALIDATIONS |= {f"number_{digits}dp" for digits in (1, 2, 3, 4)}
# REDCap makes these itself, or they mean something else to it
RESERVED = {"redcap_event_name", "redcap_repeat_instance", "redcap_repeat_instrument", "event_name"}
RESERVED |= {"redcap_data_access_group", "redcap_survey_identifier"}


def find_faults(text: str) -> list[str]:
    """Each fault as ``"line: kind"``; none in a dictionary that REDCap takes."""
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or rows[0] != HEADER:
        return ["1: header"]
    if any(len(row) != len(HEADER) for row in rows):
        return [f"{n}: columns" for n, row in enumerate(rows, 1) if len(row) != len(HEADER)]
    found, names, forms = [], set[str](), list[str]()
    for number, row in enumerate(rows[1:], 2):
        cells = dict(zip(HEADER, row, strict=True))
        found += [f"{number}: {fault}" for fault in _faults_of(cells, first=number == 2)]
        if cells[HEADER[0]] in names:
            found.append(f"{number}: duplicate name")
        names.add(cells[HEADER[0]])
        if cells["Form Name"] in forms[:-1]:
            found.append(f"{number}: form in two pieces")
        if cells["Form Name"] not in forms[-1:]:
            forms.append(cells["Form Name"])
    for number, row in enumerate(rows[1:], 2):
        asked = re.findall(r"\[([^\]]*)\]", row[11])
        found += [f"{number}: branching" for name in asked if name.split("(")[0] not in names]
        if f"{row[1]}_complete" in names:  # REDCap's own field of the form
            found.append(f"{number}: name of a form's own field")
    return found


def _faults_of(cells: dict[str, str], *, first: bool) -> Iterator[str]:
    name, kind = cells[HEADER[0]], cells["Field Type"]
    choices, check = cells[HEADER[5]], cells[HEADER[7]]
    if not NAME.fullmatch(name):
        yield "name"
    if len(name) > LONGEST:
        yield "long name"
    if name in RESERVED:
        yield "reserved name"
    if not FORM.fullmatch(cells["Form Name"]):
        yield "form name"
    if kind not in TYPES:
        yield "field type"
    if not cells["Field Label"].strip():
        yield "no label"
    parts = choices.split("|") if kind in WITH_CHOICES else []
    codes = [part.split(",")[0].strip() for part in parts]
    if any(not CHOICE.fullmatch(part) for part in parts) or len(set(codes)) < len(codes):
        yield "choices"
    if kind in ("yesno", "truefalse", "text", "notes") and choices:
        yield "choices without a list"
    if check not in VALIDATIONS or (check and kind != "text"):
        yield "validation"
    yield from _faulty_limits(cells, check)
    if any(cells[column] not in ("", "y") for column in (HEADER[10], HEADER[12], HEADER[16])):
        yield "neither y nor empty"
    if cells["Custom Alignment"] not in ("", "RV", "RH", "LV", "LH"):
        yield "alignment"
    if first and kind != "text":
        yield "record name is no text"


def _faulty_limits(cells: dict[str, str], check: str) -> Iterator[str]:
    limits = [cells["Text Validation Min"], cells["Text Validation Max"]]
    if any(limits) and not check:
        yield "limits without validation"
    if check in ("number", "integer"):
        kind = r"-?\d+" if check == "integer" else r"-?\d+(\.\d+)?"
        if any(limit and not re.fullmatch(kind, limit) for limit in limits):
            yield "limit"
