"""Words of radiology in several languages, as `segment_names.plain` leaves them: without case and accents.

A name of a segment is shown only where each of its words is one of these, since a user may have typed anything into it.
"""

from __future__ import annotations

# blood of any kind, and what may be said of its age and side
NEUTRAL = frozenset(
    (
        *("segment", "segmentation", "mask", "label", "roi", "region", "lesion", "lasion", "lesione", "blood"),
        *("bleed", "bleeding", "clot", "hematoma", "hamatom", "hematome", "hematom", "ematoma", "hemorrhage"),
        *("hemorrhagie", "hemorragie", "hemorragia", "emorragia", "blutung", "sangrado", "sanguinamento", "sangre"),
        *("sang", "blut", "гематома", "кровоизлияние", "血肿", "血腫", "出血", "acute", "chronic", "subacute", "akut"),
        *("chronisch", "aigu", "chronique", "agudo", "cronico", "left", "right", "bilateral", "links", "rechts"),
        *("gauche", "droite", "izquierdo", "derecho", "sinistra", "destra", "frontal", "parietal", "temporal"),
        *("occipital", "and", "et", "und", "y", "e"),
    )
)
OTHERS = frozenset(
    (
        *("edema", "oedema", "œdeme", "odem", "hirnodem", "отек", "水肿", "浮腫", "infarct", "infarkt", "infarctus"),
        *("infarto", "stroke", "ischemia", "ischamie", "tumor", "tumeur", "tumore", "tumour", "metastasis"),
        *("meningioma", "calcification", "kalk", "verkalkung", "calcificacion", "fracture", "fraktur", "bone"),
        *("knochen", "os", "brain", "gehirn", "hirn", "cerveau", "cerebro", "cervello", "ventricle", "ventrikel"),
        *("ventricule", "ventriculo", "skull", "schadel", "crane", "craneo", "cranio", "midline", "cyst", "zyste"),
        *("kyste", "abscess", "air", "luft", "drain", "catheter", "cavity", "artifact", "artefakt"),
    )
)
