"""What the name of a segment says: one matcher for 3D Slicer's and DICOM's segments, ours and
others'.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from monai_ich.core.labels import LabelSet, Subtype, label_of
from monai_ich.io.segment_words import NEUTRAL, OTHERS
from monai_ich.pacs.codes import SUBTYPES

_SUBTYPES = {
    Subtype.EDH: re.compile(r"\b(edh|(epi|extra) ?dural\w*)\b"),
    Subtype.IPH: re.compile(
        r"\b(iph|ich|(intra ?)?parenchym\w*|intra ?[cz]erebr\w*|contusions?|kontusion\w*)\b"
    ),
    Subtype.IVH: re.compile(r"\b(ivh|intra ?ventri[ck]\w*|ventricular h\w*)\b"),
    Subtype.SAH: re.compile(r"\b(sah|(sub|sous) ?arachno\w*|subaracno\w*)\b"),
    Subtype.SDH: re.compile(r"\b(sdh|(sub|sous|sotto) ?dural\w*)\b"),
}


def plain(name: str) -> str:
    """A name without case, accents, punctuation and British spelling.

    >>> plain("Subdural_Haemorrhage"), plain(" Œdème-1 ")
    ('subdural hemorrhage', 'œdeme 1')
    """
    ascii_only = "".join(
        c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c)
    )
    return " ".join(re.sub(r"[^\w]+|_", " ", ascii_only.replace("haem", "hem")).split())


def says_nothing(name: str) -> bool:
    """Whether a name fits any hemorrhage: empty, numbered by a program, or blood without a place.

    >>> says_nothing("Segment_1"), says_nothing("Hämatom links"), says_nothing("Infarkt")
    (True, True, False)
    """
    return all(word in NEUTRAL or word.isdecimal() for word in plain(name).split())


def shown(name: str) -> str:
    """The name as it was written, where each of its words is one of radiology; else nothing: it may
    name a patient.

    >>> shown("Ödem links"), shown("Doe Jane")
    ('Ödem links', '')
    """
    words = plain(name).split()
    known = all(word in NEUTRAL | OTHERS or (word.isdecimal() and len(word) < 4) for word in words)
    return unicodedata.normalize("NFC", name.strip()) if words and known else ""


def values_named(names: Iterable[str], labels: LabelSet) -> set[int]:
    """The labels that any of these names speak of; empty where none does.

    Names as our own files have them count for all label sets; of hemorrhage also what others write.

    >>> values_named(["Subdural_Haemorrhage"], Subtype), values_named(["Segment_1", "SDH"], Subtype)
    ({5}, {5})
    >>> sorted(values_named(["SDH", "Epidural"], Subtype)), values_named(["Edema"], Subtype)
    ([1, 5], set())
    """
    said = {plain(name) for name in names if name.strip()}
    exact = {(int(v), plain(text)) for v in labels for text in (v.name, label_of(v).name)}
    exact |= {
        (int(s), plain(code.meaning)) for s, code in SUBTYPES.items() if isinstance(s, labels)
    }
    found = {value for value, text in exact if text in said}
    if labels is Subtype:
        found |= {
            int(s) for s, words in _SUBTYPES.items() if any(words.search(name) for name in said)
        }
    return found
