"""Words of English reports of head CT: findings, sites, sections, sizes.

Patterns ignore case; ``ha?e`` and ``o?e`` are American and British spelling.
"""

from __future__ import annotations

import re

_BLOOD = (
    r"ha?em{1,2}or{1,2}h?ages?|ha?emorrhaging|(?<!variceal\s)(?<!gi\s)(?<!rectal\s)bleed(?:s|ing)?(?!\s+(?:disorder|diathesis|risk))|ha?em[ao]tomas?"
    r"|ha?ematomata|blood(?:\s+(?:products?|clots?))?(?!\s+(?:pressure|vessel|flow|thinner|pool"
    r"|supply"
    r"|cell|patch|sugar|test))"
)
_BLOODY = rf"(?:{_BLOOD}|clots?|collections?|components?|extension)"
_BRAIN = (
    r"intra-?\s?parenchymal|parenchymal?|intra-?\s?cerebral|intra-?\s?axial|lobar|cerebell\w+"
    r"|pontine"
    r"|pons|midbrain|brain\s?stem|medulla(?:ry)?|thalam\w+|basal\s+gangli\w+|bg|gangli[oa]\w*|putam\w+"
    r"|caudate|lentiform|globus|pallid\w+|capsul\w+|corona\s+radiata|centrum\s+semiovale|insul\w+"
    r"|vermis|vermian|corpus\s+callosum|splenium|duret|gyrus|gyri|cort(?:ex|ical)"
    r"|(?:gr[ea]y|white)\s+matter|gr[ea]y[-/\s]+white|tract"
    r"|(?:frontal|temporal|parietal|occipital)(?:\s+lobes?)?(?!\s+convexit)|frontotemporal|frontoparietal"
    r"|temporoparietal|parieto-?occipital|cerebral|hemispher\w+"
)
_VENTRICLE = r"ventric(?!ulost|ulop)\w+|(?:occipital|frontal|temporal)\s+horns?|atria|trigones?"
_SUBARACHNOID = (
    r"sulc(?:us|i|al)|cistern\w*|sylvian|perimesencephalic|interpeduncular|prepontine|suprasellar"
    r"|interhemispheric\s+fissure|subarachnoid\s+spaces?"
)
_SUBDURAL = r"subdural\s+spaces?|(?:para)?falx|(?:para)?falcine|tentori\w+"
OUTSIDE = (  # of the skull
    r"(?:scalp|retrobulbar|intra-?ocular|intra-?orbital|(?:sub)?conjunctival|subgaleal|galeal|subcutaneous|soft\s+tissues?|extra-?cranial|facial|periorbital"
    r"|orbit\w*|forehead|cheek|vitreous|retina\w*|globe|eyelid|mastoid\w*|middle\s+ear|neck"
    r"|maxillary|sphenoid|ethmoid|paranasal|nasal)"
)
_NO_BLOOD = (  # what "subdural" and the like may go before that is no blood
    r"\s+(?:spaces?|cysts?|hygromas?|effusions?|empyemas?|abscess\w*|drains?|drainage"
    r"|catheters?|grids?|electrodes?|leads?"
    r"|shunts?|fluid|injections?|steroids?|an?aesthesia|patch\w*|fat|lipomas?|mass\w*|lesions?"
    r"|tumou?rs?"
    r"|neoplas\w+|metasta\w+|calcifi\w+|abnormalit\w+)"
)
_LISTED = r"(?=\s*(?:[,/.;:)]|$|\bor\b|\band\b|\bvs\b|\bversus\b))"

# what a blood noun is, by the site beside it: the first that fits
SITES: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"\b(?:{words})\b", re.I)
    for name, words in {
        "other": OUTSIDE,
        "IVH": _VENTRICLE,
        "SAH": _SUBARACHNOID,
        "SDH": _SUBDURAL,
        "EDH": r"(?:epi|extra-?)dural\s+spaces?",
        "IPH": _BRAIN,
    }.items()
}


def _of_space(name: str) -> str:
    """Blood of a named space, in a list of spaces too: "subdural or epidural hematoma"."""
    return rf"{name}s?(?:\s+{_BLOODY})?(?!{_NO_BLOOD})"


def _of_site(name: str) -> str:
    """The same of an adjective that is no noun: alone it only counts in a list."""
    return rf"{name}(?:\s+{_BLOODY}|{_LISTED})"


_OTHER = (
    r"infarct\w*|isch(?:a)?emi(?:a|c)|(?<!code\s)stroke(?!\s+(?:protocol|code|alert|call|team|pager|service|physician|neurolog\w+))"
    r"|(?<!no )mass(?:es)?(?!\s+effect)"
    r"|space[- ]occupying\s+lesions?"
    r"|lesions?|tumou?rs?|neoplas\w+|metasta\w+|meningiomas?|gliomas?|glioblastomas?|lymphomas?"
    r"|adenomas?|schwannomas?|fractures?|diastasis|hydrocephalus|ventriculomegaly|abscess\w*"
    r"|aneurysms?|malformations?|avms?|cavernomas?|hygromas?|effusions?|empyemas?|(?:encephalo|leu[ck]o)malacia"
    r"|lacerations?"
    r"|(?:intra-?cranial|intra-?ventricular)\s+(?:air|gas)"
    r"|gliosis|pneumocephalus|o?edema|herniat\w+|(?:arachnoid|colloid|dermoid)\s+cysts?|atroph\w+"
    r"|volume\s+loss|involution\w*|small\s+vessel|microvascular|leu[ck]oaraiosis|lacun\w+"
    r"|white\s+matter\s+(?:disease|changes?|hypo\w+|low\s+attenuation)"
    r"|ventric\w+\s+(?:(?:are|is|have|has|remain|remains|appear|appears|mildly|moderately|markedly)\s+){0,2}"
    r"(?:dilated|enlarged)|(?:dilated|enlarged)\s+(?:\w+\s+)?ventric\w+"
    r"|(?:hyper-?)?dense\s+(?:\w+\s+){0,2}(?:mca|m[12]|ica|vessel|basilar|artery|sinus)(?:\s+sign)?(?!\s+is\s+normal)"
    r"|demyelinat\w+|thrombos[ie]s|encephalitis|diffuse\s+axonal\s+injury"
    rf"|cephalo?ha?ematomas?|{OUTSIDE}\s+(?:{_BLOOD}|contusions?|swelling)"
)
# the longest that fits at a place; blood outside of the skull is no hemorrhage of interest
TERMS = re.compile(
    r"\b(?:"
    rf"(?P<other>{_OTHER})"
    rf"|(?P<EDH>[a-z]?edhs?|{_of_space('epi(?:dural|dual|drual)')}|{_of_space('extra[ -]?dural')})"
    rf"|(?P<SDH>[a-z]?sdhs?|{_of_space('sub[ -]?(?:dural|dual|drual|dral)')})"
    rf"|(?P<SAH>[at]?sahs?|{_of_site('sub[ -]?ara(?:ch|c|k)a?noid')})"
    rf"|(?P<IVH>ivhs?|ive|{_of_site('intra-?ventricular')}"
    rf"|(?:(?:intra-?)?ventricular|ventricle|iv)\s+(?:extension|rupture|spread|breakthrough|decompression)"
    r"|(?:exten[ds]\w*|ruptur\w+|dissect\w+|layer\w*|spill\w*|spread\w*|reflux\w*|track\w*"
    r"|breakthrough|breaking\s+through|decompress\w*|casting|clots?)"
    rf"\s+(?:(?:in|within|into|to|through)\s+)?(?:\w+\s+){{0,5}}(?:{_VENTRICLE}))"
    r"|(?P<IPH>iphs?|micro-?(?:ha?emorrhages?|bleeds?)"
    r"|(?<!non-)(?<!non )ha?emorrhagic\s+(?:\w+\s+)?(?:transformation|conversion"
    r"|changes?|foc(?:us|i)|shear\w*(?:\s+injur\w+)?|(?:diffuse\s+)?axonal\s+injur\w+|dai"
    r"|contusions?|infarct\w*|stroke"
    r"|metasta\w+|mass\w*|lesions?|tumou?rs?)|(?<!pulmonary\s)(?<!lung\s)(?<!hemorrhagic\s)"
    r"contusions?"
    rf"|petechial\s+(?:{_BLOOD})"
    rf"|{_of_site('(?:intra-?parenchymal|intra-?cerebral|intra-?axial)')})"
    rf"|(?P<axial>extra-?axial\s+{_BLOODY}"
    r"|(?:hyper-?dense|high[- ](?:density|attenuation)|crescent\w*|biconvex|lentiform)\s+"
    r"(?:\w+\s+){0,3}collections?)"
    rf"|(?P<any>(?:intra-?cranial\s+)?(?:{_BLOOD})|ich"
    rf"|intra-?(?:axial)?\s*(?:or|and|/|nor)\s*extra-?axial\s+{_BLOOD})"
    r"|(?P<shift>mid[-\s]?line\s+sh(?:ift|fit)|shift\s+of\s+(?:the\s+)?mid-?line|mls"
    r"|mid-?line\s+displacement|displacement\s+of\s+(?:the\s+)?(?:septum(?:\s+pellucidum)?|mid-?line)"
    r"|(?:left|right)ward\s+shift|shift\s+to\s+(?:the\s+)?(?:left|right)"
    r"|shift(?!\s+(?:change|worker))|\b(?:l|r|left|right)[-\s]to[-\s](?:l|r|left|right)\s+shift"
    r"|(?:mid-?line(?:\s+structures?)?|septum\s+pellucidum)\s+(?:is|are)\s+(?:shifted|displaced|deviated|pushed))"
    r"|(?P<central>mid-?line\s*:\s*(?:no\s+shift|normal|central)|mid-?line(?:\s+structures?)?\s+(?:(?:is|are|remains?|appears?|lies?)\s+)?"
    r"(?:central\w*|cent(?:er|re)d|preserved|maintained|undisplaced"
    r"|not\s+(?:shifted|displaced|deviated)|in\s+(?:the\s+)?(?:normal\s+position|midline)))"
    r")\b",
    re.I,
)
_WHOLE = r"(?:study|scan|(?:head\s+|brain\s+)?ct|exam\w*|head|brain)"
NORMAL = re.compile(
    r"\bnormal\s+appearances?(?=\s+for\b|\s*(?:[.;]|$))|\bnormal\s+(?:non[-\s]?contrast\s+|unenhanced\s+|cranial\s+)?"
    rf"(?:study|scan|(?:head\s+|brain\s+)?ct|exam\w*|(?:head|brain)(?=\s*(?:[,.;]|$)))"
    rf"|(?:^|[:.]\s*)\s*unremarkable|\bunremarkable\s+(?:non-?contrast\s+)?{_WHOLE}"
    rf"|\b{_WHOLE}\s*(?:(?:is|appears)\s+|:\s*|(?<=\s))(?:normal|unremarkable|negative|within\s+normal\s+limits)(?=\s*(?:[,.;]|$))"
    r"|\b(?:no|nil)\s+(?:(?:ct\s+)?evidence\s+of\s+)?(?:an\s+)?acute\s+(?:intra-?cranial\s+)?"
    r"(?:abnormalit\w+|findings?|patholog\w+|process\w*|injur\w+|disease)"
    r"|\bNAD\b|\bno\s+abnormality\s+detected|\bno\s+(?:[\w-]+\s+){0,2}or\s+intra-?cranial\s+injur\w+"
    r"|\bno\s+(?:evidence\s+of\s+)?intra-?cranial\s+(?:abnormalit\w+|patholog\w+|injur\w+)"
    rf"|\bnegative\s+(?:non-?contrast\s+)?{_WHOLE}|\bnothing\s+acute|\bnil\s+acute",
    re.I,
)

SIZE = re.compile(
    r"(?<![\d.])(\d+(?:[.,]\d+)?)\s*-?\s*(mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b", re.I
)
EARLIER_SIZE = re.compile(
    r"\bfrom\s+\d+(?:[.,]\d+)?\s*(?:mm|cm)?\s+to(?=\s+\d)|\bmeasured\s+\d+(?:[.,]\d+)?\s*(?:mm|cm)\b"
    r"|\b\d+(?:[.,]\d+)?\s*(?:mm|cm)\s+(?:in\s+(?:\w+\s+)?(?:thickness|depth|width|diameter)|thick)"
    r"|\b(?:de|in)creas\w*[^.;]{0,30}?\d+(?:[.,]\d+)?\s*(?:mm|cm)(?=\s+to\s+\d)"
    r"|(?:\bfrom|\bprevious(?:ly)?|\bformerly|\bwas|\bprior|\bearlier"
    r"|\bbefore)\W{0,3}(?:[a-z]+\s+){0,2}\(?"
    r"\d+(?:[.,]\d+)?\s*(?:mm|cm)\b|\d+(?:[.,]\d+)?\s*(?:mm|cm)\s+(?:previously|before|earlier"
    r"|on\s+(?:the\s+)?prior)",
    re.I,
)
TO_RIGHT = re.compile(
    r"\brightward|\bto(?:wards?)?[-\s]+(?:the\s+)?right|\bl[-\s]*(?:to|->|>)[-\s]*r\b",
    re.I,
)
TO_LEFT = re.compile(
    r"\bleftward|\bto(?:wards?)?[-\s]+(?:the\s+)?left|\br[-\s]*(?:to|->|>)[-\s]*l\b",
    re.I,
)

# function words that tell languages apart; what is not here is not known
LANGUAGES = {
    "English": "the of is are no and with there in to for has been evidence was",
    "German": "der die das und kein keine nicht mit ist eine einer im des den bei ohne nachweis",
    "French": "le la les des du pas une et est dans sans il avec aucune aucun au",
    "Spanish": "el los las del una y con sin se en por no hay que al",
    "Italian": "il di della del non con una e si nel delle sono alla in",
    "Portuguese": "o os as da do não com uma e sem em na no há",
    "Dutch": "de het een geen en van niet met is in op er bij aanwijzingen",
}
