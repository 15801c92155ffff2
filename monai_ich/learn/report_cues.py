r"""Cues of English reports that deny, doubt or date a finding, and which findings each reaches.

A cue in front of a finding ("no") reaches forward to the end of its clause; one behind it ("has
resolved") reaches back to its subject, which may be a list. Patterns ignore case.
"""

from __future__ import annotations

import re

from monai_ich.learn.report_words import TERMS

_SEEN = (
    r"(?:seen|identified|demonstrated|visuali[sz]ed|visible|detected|present|evident|noted|shown"
    r"|found|apparent|appreciated)"
)
_LESS = (
    r"(?:change|increase|progression|enlargement|expansion|worsening|growth|difference|alteration"
    r"|decrease|reduction|improvement|resolution|shrinkage|regression)"
)
_MUCH = (
    r"(?:any|a|significant|appreciable|definite|interval|further|substantial|gross|marked|obvious"
    r"|clear|acute|overall|short|term|other)"
)
_EARLIER = (
    r"(?:most\s+recent|recent|prior|previous|earlier|last|initial|outside|comparison|baseline"
    r"|yesterday\S*|study\s+of|(?:ct|mri|scan|study)\s+(?:of|from|dated)|\d)"
)
_HALF = (
    r"(?:partial(?:ly)?|incomplete(?:ly)?|near(?:ly)?|almost|mostly|largely|partly|continu\w+"
    r"|ongoing|gradual(?:ly)?|further|progressive(?:ly)?|slow(?:ly)?|virtual(?:ly)?|not|never|some"
    r"|subtotal|expected|significant)"
)
_FULLY = (
    r"(?:(?:now|both|since|completely|fully|entirely|totally|all|been|subsequently|spontaneously)"
    r"\s+)*"
)
_GONE = r"(?:cleared|disappeared|resolved|resorbed|gone(?!\s+from)|washed\s+out)"
_NONE = r"(?:none|nil|no|negative|absent|not\s+seen)"
_KINDS = {
    "pseudo": (  # what only looks like a cue
        rf"\b(?:no|nil|without|absence\s+of|lack\s+of)\s+(?:evidence\s+(?:of|for)\s+)?(?:{_MUCH}\s+)*{_LESS}\b",
        r"\b(?:no|without)\s+(?:\w+\s+){0,3}re-?bleeding\s+(?:in|into|of|within)\b|\bnot\s+negative\b",
        r"\bnot\s+(?:\w+\s+)?(?:chang|increas|enlarg|progress|worsen|mention)\w*",
        rf"\bpreviously\s+not\s+{_SEEN}|\babsent\s+from\b",
        r"^\W*(?:excluding|not\s+including)\b|\bresolved\s+by\b",
        r"\bneither\s+(?:the\s+)?\w+\s+nor\s+(?:the\s+)?\w+\s+of\b",
        r"\bneither\b[^.;]*\bnor\b(?=[^.;]*\b(?:has|have|is|are)\s+(?:chang|increas|enlarg|grow|progress))",
        r"\bnot\s+only\b|\bnot\s+(?:previously|formerly)\b|\bage[- ]indeterminate",
        r"\b(?:without|w/o)\s+(?:(?:iv|intravenous|any)\s+)?contrast\b|\bw/o(?=\s*(?:[:.,]|$))",
        rf"\b(?:not|never)\s+(?:\w+ly\s+)?{_SEEN}\s+(?:to\b|previously|before|yesterday|(?:on|in|at)\s+"
        rf"(?:(?:the|an?|this|her|his|their)\s+)?{_EARLIER})",
        rf"\babsent\s+(?:on|in|at)\s+(?:the\s+)?{_EARLIER}|\bno\s+(?:re-?)?(?:expansion|thickening)\b",
        rf"\b{_HALF}[\s-]+(?:\w+\s+)?(?:resolution|resolving|clearing|clearance|{_GONE})",
    ),
    "new": (
        r"\b(?:no|nil|without)\s+(?:evidence\s+(?:of|for)\s+)?(?:(?:an?|any|definite|acute)\s+)*"
        r"(?:new|increas\w+|interval|recurrent|further|enlarging|expanding|additional)\b",
    ),
    "doubt_post": (
        r"\b(?:can\s?not|can't|not|could\s+not)\s+(?:be\s+)?(?:(?:entirely|completely|fully)\s+)?"
        r"(?:excluded|ruled\s+out)|\bnot\s+certain",
        r"\b(?:is|are)\s+(?:\w+\s+)?(?:suspected|possible(?!\s+to\b)|unlikely|favou?red|questioned|suggested"
        r"|considered|uncertain|equivocal)|\b(?:is|was)\s+queried",
        r"\b(?:is|are|be)\s+(?:difficult|hard|impossible)\s+to\s+exclude|\b(?:is|are)\s+(?:the\s+)?(?:most\s+)?likely\b",
        rf"\bcan\s?not\s+be\s+(?:\w+ly\s+)?{_SEEN}",
        rf"\bnot\s+(?:clearly|well|definit\w+|convincingly|adequately|fully)\s+{_SEEN}",
    ),
    "asked": (
        r"\b(?:indication|clinical\w*|reason|hx|request\w*)\b[^.;]{0,40}?\?\s*(?=\w)",
        r"\brule\s+out|\br/o|\bto\s+exclude|(?:^\W*|\bplease\s+)exclude\b|\bif\b|^\W*should\b|\bfamily\s+history\b|\bmore\s+sensitive\b|\brisk\s+(?:of|for)|\b(?:monitor|watch)\w*\s+for",
        r"\b(?:preliminary|prelim|overnight|initial|resident)\s+(?:interpretation|read|reading|report|impression)"
        r"\s+(?:had\s+)?(?:raised|described|suggested|reported|questioned|called|mentioned)\b",
        r"\b(?:reported|described|interpreted|called|read)\s+as\b",
        r"\b(?:may|might|can|could)\s+(?:still\s+)?(?:develop|have|suffer|get)\b",
        r"\b(?:mother|father|brother|sister|sibling|parent|aunt|uncle|twin)\b",
    ),
    "doubt_pre": (
        r"\b(?:can\s?not|can't|could\s+not)\s+(?:(?:entirely|completely)\s+)?(?:exclude|rule\s+out)",
        r"\b(?:not\s+possible|impossible|difficult|hard)\s+to\s+(?:exclude|rule\s+out)",
        r"(?<!of\s)(?<!for\s)(?<!no\s)\beither(?=\s+(?:an?\s+)?[\w-]+(?:\s+[\w-]+)?\s+or\s)",
        r"\bpossibl[ey]|\bprobabl[ey]|\blikely|\bquestion(?:able|\s+of)|\?\s*(?=\w)",
        r"\bmay\s+(?:\w+\s+)?(?:represent|reflect|be)(?:\s+(?:due|related|secondary)\s+to)?|\bmight\b|\bcould\b|\bperhaps",
        r"\bwhether\b|\bunclear\b|\bdifficult\s+to\b|\bequivocal|\bindeterminate",
        r"\bsuspect\w*|\bsuspicio\w+|\bconcern\w*\s+for|\bworrisome\s+for|\bsuggest\w*",
        r"\b(?:evaluat\w+|assess\w*|screen\w*|sensitiv\w+)\s+(?:for|of)",
    ),
    "versus": (r"\bversus|\bvs\b\.?",),
    "mistaken_post": (
        r"\brepresents?\s+(?:(?:an?|the|likely|only|merely)\s+)*(?:normal|artifact\w*|artefact\w*|volume\s+averag"
        r"|beam\s+harden|calcifi|dural\s+sinus|dural\s+thicken)",
    ),
    "gone_pre": (
        r"\b(?:resolution|clearance|clearing|disappearance)\s+of|^\W*(?:now\s+)?absent\s+is\b",
        rf"^\W*(?:no\s+longer|not)\s+{_SEEN}\s+(?:is|are)\b",
    ),
    "gone_post": (
        rf"\bno\s+longer\s+(?:\w+\s+)?{_SEEN}|\bnot\s+(?:been\s+|\w+ly\s+)?{_SEEN}|\babsent\b",
        r"\b(?:has|have|had)\s+not\s+(?:developed|occurred|appeared|recurred)\b",
        rf"\b(?:has|have|had)\s+{_FULLY}(?:{_GONE}|evolved\s+into)\b",
        r"\b(?:show|demonstrate)\w*\s+(?:(?:complete|interval|full|total)\s+)*(?:resolution|clearing)",
        r"\b(?:is|are|was|were|been)\s+(?:excluded|ruled\s+out)|\b(?:excluded|ruled\s+out)\s*(?=$|[,.])",
        r"\b(?:is|are)\s+(?:now\s+)?gone\b|\b(?:nil|none|no)(?=\s*(?:$|[.,;]))",
        rf"(?::|=|\s[-\u2013])\s*{_NONE}(?=\s*(?:$|[.,;\n])|\s+{_SEEN})",
    ),
    "gone": (r"\bresolved\b",),
    "not_pre": (
        r"\bno\b|\bnor\b|\bneither\b|\bwithout\b|\bw/o\b|\bnot\b|\bnil\b|\bnothing\b",
        r"\bneg(?:ative)?\s+for|\babsence\s+of|\b(?:free|clear|devoid)\s+of|\black\s+of|\bfails?\s+to|\bdenie[sd]",
        r"\b(?:is|are|was|were|do|does|did|has)n['\u2019]t\b|\bexclud(?:es|ing)\b",
        r"\bwhat\s+(?:was|were)\s+(?:thought|believed|called|reported)\b",
        r"\brather\s+than|\bas\s+opposed\s+to|\binstead\s+of|\bmimic\w*|\bsimulating|\bpseudo-?",
    ),
    "old": (
        r"\b(?:prior|previous|outside)\s+(?:ct|mri|study|scan|imaging)\s+(?:had\s+)?(?:demonstrated|showed|revealed)\b",
        r"\bold\b|\bremote\b|\bpast\b|\b(?:patient|pt|he|she)\s+(?:has\s+)?had\b",
        r"\b(?:prior|previous)\b(?!\s*[,.:;)]|\s+(?:\(|study|studies|exam\w*|ct|scan|imaging|film))",
        r"\b(?:in|at)\s+(?:the\s+)?(?:region|area)\s+of\s+(?:known\s+)?(?:prior|previous)\b|\btreated\b",
        r"\bhistory\s+of|\bh/o|\bhx\s+of|\bsequelae?\s+of|\bha?emosiderin",
        r"\bsite\s+of\s+(?:the\s+)?(?:prior|previous\w*)(?:\s+seen)?",
    ),
    "old_post": (
        r"\blast\s+(?:year|month)|\bin\s+(?:19|20)\d\d\b|\byears?\s+ago",
        r"\b(?:was|were|had\s+been)\s+(?:reported|described|called|present|noted|seen|identified)\s+"
        rf"(?:on|in|at|by)\s+(?:(?:the|an?)\s+)?{_EARLIER}",
        r"\b(?:may|might|can|could)\s+(?:still\s+)?(?:occur|develop|form|appear|follow)",
    ),
    "removed": (
        r"\bevacuat\w+|\bdrain(?:age|ed)\b|\bburr[- ]?holes?|\bcraniotom\w+|\bcraniectom\w+",
        r"\bresect\w+\b(?!\s+(?:cavity|bed|margin))",
    ),
    "left": (
        r"\b(?:apart|aside)\s+from\s+(?:an?|some)\b|\b(?:except|save)\s+for\s+(?:an?|some|trace)\b",
        r"\bresidual(?!\s+(?:\w+\s+){0,2}(?:area|cavity|encephalomalacia|gliosis|hypo|o?edema|defect))|\bpersist\w*|\bremain\w*|\brecurren\w+|\bre-?accumulat\w+",
    ),
    "stop": (
        r"\bbut\b|\bhowever\b|\b(?:al)?though\b|\bexcept\b|\baside\s+from|\bapart\s+from|\byet\b",
        r"\bother\s+than|\bbeyond\b|\bbesides\b|\bwhich\b|\bbecause\b|\bdue\s+to|\bdespite\b",
        r"\bin\s+(?:this|a|the)\s+patient\s+with\b|\b(?:is|was)\s+(?:clearly|actually|in\s+fact)\b",
        r"\b(?:transformation|conversion)\s+of\b",
        r"\bgiven\s+the\b|(?<!not\s)\brelated\s+to|\bin\s+spite\s+of|\bsave\b|\boutside\s+of\b",
        r"\bsecondary\s+to|\bassociated\s+with|\s[-\u2013\u2014]\s",
        r",\s+(?:and\s+)?(?:there|with|a|an|the|now)\b",
        r"\band\s+(?:there|an?|the|is|are|has|have|now|with|lies|measures|extends|contains|shows|causes)\b",
        r"\b(?:from|for|within|around|underlying|by|to|with)\s+(?:the|this|these|known)\b"
        r"(?!\s+presence)|\bwith\s+an?\s+\d|\bto\s+(?:explain|account\s+for)\b|\bfollowing\b",
        r"\bas\s+(?:the\s+|a\s+)?(?:cause|source)\b|\bspot\s+sign\s+(?:in|within)\b",
        rf"\b(?:is|are)\s+(?:again\s+|also\s+)?{_SEEN}",
    ),
}
CUES = re.compile("|".join(f"(?P<{kind}>{'|'.join(of)})" for kind, of in _KINDS.items()), re.I)
_REACH = {
    "old": 4,
    "old_post": 3,
    "removed": 8,
    "left": 6,
    "gone": 3,
}  # words; others go to the next stop
_OF_BLOOD_ALONE = re.compile(r"old|remote|prior|previous|burr|craniotom|craniectom", re.I)
_NO_DOUBT = ("suggest", "suspic", "concern")  # "nothing to suggest", "no suspicion of": a denial

_NOW = re.compile(  # said of what is there
    r"\b(?:un)?changed\b|\bsmaller\b|\blarger\b|\bstable\b|\bmeasur(?:es|ing)\b|\b(?:in|de)creas(?:ed?|ing)\b"
    r"|\bagain\b|\bredemonstrated\b|\d\s*(?:mm|cm)\b|\bpersists?\b",
    re.I,
)
_IS_THERE = re.compile(r"\d\s*(?:mm|cm)\b|\bstable\b|\bunchanged\b", re.I)
_RELATIVE = re.compile(r",\s*which\s+[^,;.]*", re.I)
_SIDED = re.compile(r"\b(?:left|right|bilateral|trace)\b", re.I)
_JOINT = re.compile(r",|\s[-\u2013]\s|\b(?:and|or|nor)\b|/", re.I)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|measures|measuring|shows?|demonstrat\w+|remain\w*|exert\w*|caus\w+"
    r"|compress\w*|persist\w*|with)\b",
    re.I,
)
_AUXILIARY = re.compile(
    r"(?:\b(?:which|that|this|it|these|they|is|are|was|were|has|have|had|now|since|and|to|be)\b\W*)+$",
    re.I,
)
_CLAUSE_END = re.compile(r"\s*(?:$|[,.;)]|(?:with|without|since|from|on|in|and|compared)\b)", re.I)
_CHANGE = re.compile(rf"\s+{_LESS}\b", re.I)
_WAS_SEEN = re.compile(rf"\b(?:was|were)\s+{_SEEN}", re.I)
EXCEPT = re.compile(
    r"[,\s]*(?:with\s+the\s+exception\s+of|(?:apart|aside)\s+from|except|save\s+for|other\s+than"
    r"|besides|beyond|outside\s+of)\b",
    re.I,
)
_WITH = re.compile(r"\bwith\b", re.I)
_ASIDE = re.compile(r",\s*(?:which|that|measuring)\b[^,]*,", re.I)


def cues_of(
    sentence: str, term: re.Match[str], cues: list[re.Match[str]]
) -> dict[str, re.Match[str]]:
    """The cues that reach a finding, by kind."""
    near = {str(c.lastgroup): c for c in cues if _reaches(sentence, c, term, cues)}
    if term.lastgroup == "other":  # an old infarct is there; a bone flap removes none
        near = {k: c for k, c in near.items() if not _OF_BLOOD_ALONE.match(c[0])}
    if {"not_pre", "doubt_pre"} <= set(near) and near["doubt_pre"][0].lower().startswith(_NO_DOUBT):
        del near["doubt_pre"]
    relative = _RELATIVE.match(sentence, term.end())
    item = _item(sentence, term) + (relative[0] if relative else "")
    if _NOW.search(item):  # "prior SDH now measures", "craniotomy, SDH 8 mm"
        near = {
            k: c
            for k, c in near.items()
            if k not in ("old", "removed") and not (c[0].lower() == "if" and _IS_THERE.search(item))
        }
    return near


def words_of(cue: re.Match[str]) -> str:
    """A cue as it is printed. Of a question only how it begins: no other words of a report."""
    words = cue[0].strip().lower()
    return words.split()[0] if cue.lastgroup == "asked" else words


def _reaches(
    sentence: str, cue: re.Match[str], term: re.Match[str], cues: list[re.Match[str]]
) -> bool:
    kind = str(cue.lastgroup)
    if kind in ("pseudo", "stop"):
        return False
    forward = cue.end() <= term.start()
    if not forward and cue.start() < term.end():
        return False
    if kind not in ("versus", "gone", "removed", "left") and forward == kind.endswith("_post"):
        return False
    low, high = sorted((cue.span(), term.span()))
    between = sentence[low[1] : high[0]]
    if len(between.split()) > _REACH.get(kind, 99) and (forward or kind != "gone"):
        return False
    if kind == "left" and TERMS.search(between):
        return False
    if kind == "gone" and not forward and not _CLAUSE_END.match(sentence, cue.end()):
        return False  # "SDH and resolved SAH"
    if kind == "not_pre" and _CHANGE.match(sentence, term.end()):
        return False
    if not forward and kind in ("gone_post", "doubt_post", "mistaken_post", "gone"):
        return _is_subject(between, cue[0])
    if kind == "versus" and "," in between:
        return False
    if kind in ("gone", "gone_pre") and _NOW.search(between):
        return False
    if kind in ("gone", "gone_pre", "removed") and _WITH.search(between):
        return False  # "resolution of SAH with stable SDH"
    if any(_stops(c) and low[1] <= c.start() < high[0] for c in cues):
        return False
    ends = kind in ("not_pre", "new", "gone_pre")
    return not (ends and _starts_anew(sentence, between, term))


def _stops(cue: re.Match[str]) -> bool:
    return cue.lastgroup in ("stop", "new") or (
        cue.lastgroup == "left" and bool(EXCEPT.match(cue[0]))
    )


def _is_subject(between: str, cue: str) -> bool:
    """Whether a finding is what a verb behind it is said of, alone or in a list, given the words
    between them.
    """
    between = TERMS.sub("\0", _WAS_SEEN.sub(" ", _ASIDE.sub(" ", between)))
    between = re.sub(r"^\s*(?:\w+ly\s+)?\0", " ", between)  # "blood layering in the horns"
    listed, _, last = between.rpartition("\0")
    verb = _AUXILIARY.search(last)
    body = last[: verb.start()] if verb else last
    chunks = re.split(r"[,;]|\.(?=\s)", body)
    if _VERB.search(body) or (len(chunks) > 1 and chunks[-1].strip()):
        return False  # "SAH, source not seen"
    if not listed and "\0" not in between:
        return True
    one = re.search(r"\b(?:is|was|has)\b", (verb[0] if verb else "") + cue, re.I)
    if one and re.search(r"\b(?:and|or)\s+(?:an?|the)\b", listed, re.I):
        return False  # "SDH and a fracture is not seen"
    joint = re.search(r"\b(?:and|or|nor)\b|/", listed, re.I)
    return bool(joint) and not _VERB.search(listed) and not _NOW.search(listed)


def _item(sentence: str, term: re.Match[str]) -> str:
    """The part of a list or sentence in which a finding stands."""
    joints = [m.span() for m in _JOINT.finditer(sentence)]
    begin = max((end for _, end in joints if end <= term.start()), default=0)
    stop = min((start for start, _ in joints if start >= term.end()), default=len(sentence))
    return sentence[begin:stop]


def _starts_anew(sentence: str, between: str, term: re.Match[str]) -> bool:
    """Whether a denial ends before a finding that is told of as there: "no shift, SDH 5 mm"."""
    joints = [m[0].strip().lower() for m in _JOINT.finditer(between)]
    if not joints or joints[-1] in ("or", "nor", "/"):
        return False
    item = _item(sentence, term)
    more = re.search(r"\b(?:or|nor)\b", sentence[term.end() :], re.I)
    return bool(_NOW.search(item) or (_SIDED.search(item) and not more))
