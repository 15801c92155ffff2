"""What the name of a segment says: one matcher for 3D Slicer's and DICOM's segments, ours and others'."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from monai_ich.core.labels import LabelSet, Subtype, label_of
from monai_ich.io.dicom_codes import SUBTYPES

_SUBTYPES = {
    Subtype.EDH: re.compile(r"\b(edh|(epi|extra)dural)\b"),
    Subtype.IPH: re.compile(r"\b(iph|ich|intra ?parenchymal|parenchymal|intra ?cerebral|contusions?)\b"),
    Subtype.IVH: re.compile(r"\b(ivh|(intra ?)?ventricular h\w*)\b"),
    Subtype.SAH: re.compile(r"\b(sah|sub ?arachnoid(al)?)\b"),
    Subtype.SDH: re.compile(r"\b(sdh|sub ?dural)\b"),
}


def plain(name: str) -> str:
    """A name without case, accents, punctuation and British spelling.

    >>> plain("Subdural_Haemorrhage"), plain(" Œdème-1 ")
    ('subdural hemorrhage', 'œdeme 1')
    """
    ascii_only = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w]+|_", " ", ascii_only.replace("haem", "hem")).split())


def values_named(names: Iterable[str], labels: LabelSet) -> set[int]:
    """The labels that any of these names speak of; empty where none does.

    Names as our own files have them count for all label sets; of hemorrhage also what others write.

    >>> values_named(["Subdural_Haemorrhage"], Subtype), values_named(["Segment_1", "SDH"], Subtype)
    ({5}, {5})
    >>> sorted(values_named(["SDH", "Epidural hematoma"], Subtype)), values_named(["Edema"], Subtype)
    ([1, 5], set())
    """
    said = {plain(name) for name in names if name.strip()}
    exact = {(int(v), plain(text)) for v in labels for text in (v.name, label_of(v).name)}
    exact |= {(int(s), plain(code.meaning)) for s, code in SUBTYPES.items() if isinstance(s, labels)}
    found = {value for value, text in exact if text in said}
    if labels is Subtype:
        found |= {int(s) for s, words in _SUBTYPES.items() if any(words.search(name) for name in said)}
    return found
