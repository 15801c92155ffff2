"""Every code that a DICOM object of ours holds, in one table, so that a terminologist can change
it.

What has no public code that we trust is in our private scheme ``99ICHSEG``. Segments have their
codes in `core.labels`.

References:
    DICOM PS3.16 (TID 1500, 1411, 1501, 320; CID 42, 218, 230, 244, 7181).
"""

from __future__ import annotations

from monai_ich.core.labels import Code, Subtype
from monai_ich.core.presence import Presence

PRIVATE_SCHEME = "99ICHSEG"
PRIVATE_SCHEME_NAME = "MONAI-ICH private codes"


def _private(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


# the document
PROCEDURE = Code("25045-6", "LN", "CT unspecified body region")
OBSERVER = Code("121007", "DCM", "Device")
ALGORITHM_FAMILY = Code("123110", "DCM", "Artificial Intelligence")

# findings
HEMORRHAGE = Code("1386000", "SCT", "Intracranial hemorrhage")
SUBTYPES = {
    Subtype.EDH: _private("EDH", "Intracranial epidural hematoma"),
    Subtype.IPH: Code("274100004", "SCT", "Intraparenchymal hemorrhage of brain"),
    Subtype.IVH: _private("IVH", "Intraventricular hemorrhage"),
    Subtype.SAH: Code("21454007", "SCT", "Subarachnoid hemorrhage"),
    Subtype.SDH: Code("35486000", "SCT", "Subdural hemorrhage"),
}
REGIONS = {  # of hemorrhage in other writers' files, where the region alone says which it is
    Subtype.SAH: Code("35951006", "SCT", "Subarachnoid space"),
    Subtype.SDH: Code("54214006", "SCT", "Subdural space"),
}
MIDLINE_SHIFT = _private("MLS", "Midline shift at the foramina of Monro")
MIDLINE_SHIFT_MAX = _private("MLS-MAX", "Largest midline shift")
VENTRICLES = Code("35764002", "SCT", "Brain ventricle")
CAVITY = Code("1101003", "SCT", "Cranial cavity")

# what is said of them
PRESENCE = Code("121052", "DCM", "Presence of property")
PRESENT = Code("52101004", "SCT", "Present")
ABSENT = Code("272519000", "SCT", "Absent")
UNDETERMINED = Code("373068000", "SCT", "Undetermined")
PRESENCES = {
    Presence.FOUND: PRESENT,
    Presence.POSSIBLE: UNDETERMINED,
    Presence.NOT_FOUND: ABSENT,
}
NOT_MEASURED = Code("114006", "DCM", "Measurement failure")
KIND = _private("KIND", "Kind of hemorrhage")
KIND_UNCERTAIN = _private("KIND-UNCERTAIN", "Uncertain, often confused with other kinds")
COMPARTMENT = _private("COMPARTMENT", "Compartment")
COMPARTMENTS = {
    "supratentorial": _private("SUPRATENTORIAL", "Supratentorial"),
    "infratentorial": _private("INFRATENTORIAL", "Infratentorial"),
}
TOWARD = _private("MLS-TOWARD", "Midline shifted toward")
SIDES = {
    "left": Code("7771000", "SCT", "Left"),
    "right": Code("24028007", "SCT", "Right"),
    "both": Code("51440002", "SCT", "Bilateral"),
}

# the exam as a whole
EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
CRITERIA = {
    "BTF-2006-EDH-VOLUME": _private("BTF-EDH-VOLUME", "Epidural hematoma larger than 30 mL"),
    "BTF-2006-EDH-THICKNESS": _private("BTF-EDH-THICK", "Epidural hematoma thicker than 15 mm"),
    "BTF-2006-EDH-SHIFT": _private(
        "BTF-EDH-SHIFT", "Epidural hematoma with midline shift over 5 mm"
    ),
    "BTF-2006-SDH-THICKNESS": _private("BTF-SDH-THICK", "Subdural hematoma thicker than 10 mm"),
    "BTF-2006-SDH-SHIFT": _private(
        "BTF-SDH-SHIFT", "Subdural hematoma with midline shift over 5 mm"
    ),
    "BTF-2006-IPH-VOLUME": _private("BTF-IPH-VOLUME", "Parenchymal lesion larger than 50 mL"),
    "BTF-2006-IPH-MASS-EFFECT": _private(
        "BTF-IPH-EFFECT", "Frontal or temporal lesion over 20 mL with mass effect"
    ),
    "BTF-2006-POSTERIOR-FOSSA": _private(
        "BTF-FOSSA-MASS", "Posterior fossa lesion with mass effect"
    ),
    "ICH-SCORE-VOLUME": _private(
        "ICHSCORE-VOLUME", "ICH score: parenchymal hemorrhage of 30 mL or more"
    ),
    "ICH-SCORE-IVH": _private("ICHSCORE-IVH", "ICH score: intraventricular hemorrhage"),
    "ICH-SCORE-INFRATENTORIAL": _private("ICHSCORE-INFRA", "ICH score: infratentorial hemorrhage"),
}
MET = {
    True: Code("373066001", "SCT", "Yes"),
    False: Code("373067005", "SCT", "No"),
    None: UNDETERMINED,
}
STATUS = _private("STATUS", "What the weights were trained and tested on")
WARNING = _private("WARNING", "Warning")
CALIBRATED_ON = _private("CALIBRATED-ON", "What probabilities and intervals were learned on")
MISSES = _private("MISSES", "How often hemorrhage is missed where none is found")

# what is measured
VOLUME = Code("118565006", "SCT", "Volume")
ABC2 = _private("ABC2", "ABC/2 bedside estimate")
DISTANCE = Code("121206", "DCM", "Distance")
THICKNESS = _private("THICKNESS", "Largest thickness perpendicular to the skull")
AXIAL_THICKNESS = _private("AXIAL-THICKNESS", "Largest thickness within an axial slice")
SKULL_DISTANCE = _private("SKULL-DISTANCE", "Shortest distance from the inner skull surface")
ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")
SPHERICITY = Code("QCFX", "IBSI", "Sphericity")
PROBABILITY = Code("122157", "DCM", "Probability")
EVANS_INDEX = _private("EVANS", "Evans' index")
LEFT_RIGHT_RATIO = _private("LEFT-RIGHT", "Ratio of left to right volume")
MEAN = Code("373098007", "SCT", "Mean")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
MAXIMUM = Code("56851009", "SCT", "Maximum")

# units
MILLILITER = Code("ml", "UCUM", "milliliter")
MILLIMETER = Code("mm", "UCUM", "millimeter")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
ONE = Code("1", "UCUM", "no units")
RATIO = Code("{ratio}", "UCUM", "ratio")
