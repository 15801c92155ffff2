"""What free text in headers says, in the languages that scanners speak: one list for choice,
warnings and refusals.

Texts are in capitals. Nothing that stands in a header is ever repeated: messages have words of
their own.
"""

from __future__ import annotations

import re

# PS3.3 C.7.3.1.1.1: what lies beside a CT
_MODALITIES = {
    *(
        "CR",
        "CT",
        "DX",
        "DOC",
        "ECG",
        "KO",
        "MG",
        "MR",
        "NM",
        "OT",
        "PR",
        "PT",
        "PX",
        "REG",
        "RF",
        "RTDOSE",
        "RTIMAGE",
    ),
    *("RTPLAN", "RTSTRUCT", "SC", "SEG", "SR", "US", "XA", "XC"),
}
_UNITS = {
    "OD",
    "US",
    "MGML",
    "Z_EFF",
    "ED",
    "EDW",
    "HU_MOD",
    "PCT",
}  # PS3.3 C.11.1.1.2 (RescaleType), without HU
_HEAD = (
    *("HEAD", "BRAIN", "SKULL", "CRAN", "NEURO", "CEREB", "ORBIT", "FACE", "CEPHAL"),
    *("KOPF", "SCHAEDEL", "SCHÄDEL", "HIRN"),  # German
    *("TETE", "TÊTE", "CERVEAU", "CRÂN", "ENCEPH"),  # French
    *("CABEZA", "CRÁNEO", "CABECA", "CABEÇA"),  # Spanish, Portuguese
    *("TESTA", "CAPO", "HOOFD", "HERSEN", "HUVUD", "HJERNE", "GLOWA", "HLAVA"),
)
_NO_BODY_PART = {
    "",
    "UNKNOWN",
    "UNDEFINED",
    "NONE",
    "N/A",
    "NA",
    "OTHER",
    "NOT SPECIFIED",
    "NULL",
    "-",
}
_NO_AGENT = re.compile(
    r"\W*|(NO|NONE|NON|N|NA|NIL|NULL|0|FALSE|WITHOUT|NATIVE?|NATIV|PLAIN|UNENHANCED|OHNE|KEINE?S?|SANS|SIN|SEM|SENZA|"
    r"ZONDER|UTAN|BEZ)\b.*|\W*N\W*A\W*"
)
_WITHOUT = re.compile(
    r"\b(NO|NON|WITHOUT|W/O|WO|OHNE|KEIN|SANS|SIN|SEM|SENZA)\W{0,3}(IV\W|I\.V\.\W)?"
    r"(CONTRASTE?|CONTRASTO|KONTRAST\w*|KM|INJECTION|C\b|CM\b)|NON-?CONTRAST|UNENHANCED"
)
_ENHANCED = re.compile(
    r"\bCT-?[AV]\b|ANGIO|ARTERI|VENOUS|VENÖS|VENOES|PERFUSION|BOLUS|\bCONTRASTE?\b|KONTRAST|\bC\+|\bKM\b|\bPOST\W?IV\b"
)
_SHARP = re.compile(
    r"BONE|SHARP|EDGE|DETAIL|LUNG|KNOCHEN|HUESO|\bOSSO\b|\bOS\b|\b[HBJUQ][A-Z]?(5[5-9]|[6-9]\d)|\bFC(3|8)\d"
)
_SHARP_KERNEL = re.compile(r"Y[A-E]|[DEL]")  # Philips, by its whole name
_KEV = re.compile(r"\b(\d{2,3})\s?KEV")
_LIKE_HU_KEV = (60, 80)


def known_modality(modality: str) -> str:
    """A modality as a message may repeat it.

    >>> known_modality("MR"), known_modality("DOE^JANE"), known_modality("")
    ('MR', 'of another value', 'missing')
    """
    return modality if modality in _MODALITIES else "of another value" if modality else "missing"


def known_unit(unit: str) -> str:
    """What pixels hold, where their rescale type is one of DICOM's.

    >>> known_unit("Z_EFF"), known_unit("DOE^JANE")
    ('Z_EFF', 'values of another kind')
    """
    return unit if unit in _UNITS else "values of another kind"


def names_head(text: str) -> bool:
    """Whether a text speaks of the head.

    >>> names_head("KOPF NATIV"), names_head("THORAX")
    (True, False)
    """
    return any(word in text for word in _HEAD)


def names_other_part(body_part: str) -> bool:
    """Whether the body part is stated, and is not the head.

    >>> names_other_part("CHEST"), names_other_part("UNKNOWN"), names_other_part("CABEZA")
    (True, False, False)
    """
    return body_part.strip() not in _NO_BODY_PART and not names_head(body_part)


def names_agent(agent: str) -> bool:
    """Whether a contrast agent is stated: there are many ways to say that there was none.

    >>> [names_agent(text) for text in ("IOHEXOL 300", "N/A", "NO CONTRAST", "OHNE", "")]
    [True, False, False, False, False]
    """
    return _NO_AGENT.fullmatch(agent.strip()) is None


def names_contrast(text: str) -> bool:
    """Whether a description speaks of vessels or an enhanced scan.

    >>> [names_contrast(text) for text in ("CTA HEAD NECK 1.0", "HEAD W/O CONTRAST", "HEAD 5MM")]
    [True, False, False]
    """
    return _ENHANCED.search(_WITHOUT.sub(" ", text)) is not None


def is_sharp(kernel: str, text: str = "") -> bool:
    """Whether a kernel is known as one for bone, lung or edges.

    >>> is_sharp("HR59"), is_sharp("YB"), is_sharp("H31S"), is_sharp("UB")
    (True, True, False, False)
    """
    return (
        _SHARP_KERNEL.fullmatch(kernel.strip()) is not None
        or _SHARP.search(f"{kernel} {text}") is not None
    )


def monoenergetic_kev(text: str) -> int | None:
    """The energy of a virtual monoenergetic image, where a description states one.

    >>> monoenergetic_kev("HEAD MONO+ 40 KEV"), monoenergetic_kev("HEAD 5MM")
    (40, None)
    """
    found = _KEV.search(text)
    return int(found[1]) if found else None


def is_like_hu(kev: int) -> bool:
    """Whether tissue at this energy has the densities of a scan at 120 kV.

    References:
        Yu 2012, doi:10.2214/AJR.12.9121
    """
    return _LIKE_HU_KEV[0] <= kev <= _LIKE_HU_KEV[1]
