"""Every code that a DICOM object of ours holds, in one table, so that a terminologist can change
it.

What has no public code that we trust is in our private scheme ``99ICHSEG``. Segments have their
codes in `core.labels`.

References:
    DICOM PS3.16 (TID 1500, 1411, 1501, 320; CID 42, 218, 230, 244, 7181).
"""

from __future__ import annotations

from monai_ich.core.labels import Code, Hemorrhage, Subtype
from monai_ich.core.presence import Presence
from monai_ich.measure.criteria import CRITERION_TITLES
from monai_ich.measure.signs import sign_title

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
SUBTYPES: dict[Subtype | Hemorrhage, Code] = {
    Subtype.EDH: _private("EDH", "Intracranial epidural hematoma"),
    Subtype.IPH: Code("274100004", "SCT", "Intraparenchymal hemorrhage of brain"),
    Subtype.IVH: _private("IVH", "Intraventricular hemorrhage"),
    Subtype.SAH: Code("21454007", "SCT", "Subarachnoid hemorrhage"),
    Subtype.SDH: Code("35486000", "SCT", "Subdural hemorrhage"),
    Hemorrhage.ANY: HEMORRHAGE,
}
REGIONS = {  # of hemorrhage in other writers' files, where the region alone says which it is
    Subtype.SAH: Code("35951006", "SCT", "Subarachnoid space"),
    Subtype.SDH: Code("54214006", "SCT", "Subdural space"),
}
MIDLINE_SHIFT = _private("MLS", "Midline shift at the foramina of Monro")
MIDLINE_SHIFT_MAX = _private("MLS-MAX", "Largest midline shift")
VENTRICLES = Code("35764002", "SCT", "Brain ventricle")
CAVITY = Code("1101003", "SCT", "Cranial cavity")
EDEMA = Code("79654002", "SCT", "Edema")

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
LOCATION = _private("IPH-LOCATION", "Region of the center of mass")
LOCATIONS = {
    "lobar": _private("LOBAR", "Cerebral lobe"),
    "basal_ganglia": _private("BASAL-GANGLIA", "Basal ganglia with the capsules"),
    "thalamus": Code("42695009", "SCT", "Thalamus"),
    "deep": _private("DEEP", "Deep, between basal ganglia and thalamus"),
    "brainstem": Code("119238007", "SCT", "Brain stem"),
    "cerebellum": Code("113305005", "SCT", "Cerebellum"),
}
DENSITY_CLASS = _private("DENSITY-CLASS", "Density against the brain")
DENSITY_CLASSES = {
    "hypodense": _private("HYPODENSE", "Hypodense"),
    "isodense": _private("ISODENSE", "Isodense"),
    "hyperdense": _private("HYPERDENSE", "Hyperdense"),
    "mixed": _private("MIXED-DENSITY", "Mixed density"),
}
TOWARD = _private("MLS-TOWARD", "Midline shifted toward")
SIDES = {
    "left": Code("7771000", "SCT", "Left"),
    "right": Code("24028007", "SCT", "Right"),
    "both": Code("51440002", "SCT", "Bilateral"),
}

# the exam as a whole
EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
_CRITERIA = {
    "BTF-2006-EDH-VOLUME": "BTF-EDH-VOLUME",
    "BTF-2006-EDH-THICKNESS": "BTF-EDH-THICK",
    "BTF-2006-EDH-SHIFT": "BTF-EDH-SHIFT",
    "BTF-2006-SDH-THICKNESS": "BTF-SDH-THICK",
    "BTF-2006-SDH-SHIFT": "BTF-SDH-SHIFT",
    "BTF-2006-IPH-VOLUME": "BTF-IPH-VOLUME",
    "BTF-2006-IPH-MASS-EFFECT": "BTF-IPH-EFFECT",
    "BTF-2006-POSTERIOR-FOSSA": "BTF-FOSSA-MASS",
    "ICH-SCORE-VOLUME": "ICHSCORE-VOLUME",
    "ICH-SCORE-IVH": "ICHSCORE-IVH",
    "ICH-SCORE-INFRATENTORIAL": "ICHSCORE-INFRA",
}
CRITERIA = {name: _private(value, CRITERION_TITLES[name]) for name, value in _CRITERIA.items()}
MET = {
    True: Code("373066001", "SCT", "Yes"),
    False: Code("373067005", "SCT", "No"),
    None: UNDETERMINED,
}
SIGNS = {
    name: _private(f"SIGN-{short}", f"{sign_title(name)} of the largest IPH")
    for name, short in {
        "island_sign": "ISLAND",
        "satellite_sign": "SATELLITE",
        "irregular_shape": "IRREGULAR",
        "blend_sign": "BLEND",
        "black_hole_sign": "BLACK-HOLE",
        "swirl_sign": "SWIRL",
        "heterogeneous_density": "HETEROGEN",
        "fluid_level": "FLUID-LEVEL",
    }.items()
}
SEEN = {True: PRESENT, False: ABSENT, None: UNDETERMINED}
STATUS = _private("STATUS", "What the weights were trained and tested on")
WARNING = _private("WARNING", "Warning")
CALIBRATED_ON = _private("CALIBRATED-ON", "What probabilities and intervals were learned on")
MISSES = _private("MISSES", "How often hemorrhage is missed where none is found")

# what is measured
VOLUME = Code("118565006", "SCT", "Volume")
ABC2 = _private("ABC2", "ABC/2 bedside estimate")
ABC2_A = _private("ABC2-A", "ABC/2, length A on the slice of largest area")
ABC2_B = _private("ABC2-B", "ABC/2, width B; of a subdural hematoma its thickness")
ABC2_C = _private("ABC2-C", "ABC/2, height C")
ABC2_C_ALL = _private("ABC2-C-ALL", "ABC/2, height C of all slices, unweighted")
SPECK_COUNT = _private("SPECK-COUNT", "Number of pieces too small to be lesions")
SPECK_VOLUME = _private("SPECK-VOLUME", "Volume of pieces too small to be lesions")
EDEMA_RATIO = _private("EDEMA-RATIO", "Edema over intraparenchymal hemorrhage, by volume")
THIRD_WIDTH = _private("THIRD-VENTRICLE", "Width of the third ventricle")
HORN_WIDTH = _private("TEMPORAL-HORNS", "Width of the temporal horns")
IRREGULARITY = _private("IRREGULARITY", "Hematoma irregularity index; 100 for a ball")
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
UNITS = {"mL": MILLILITER, "mm": MILLIMETER, "1": ONE}

# scores: a code holds at most 16 characters
_PART = {
    "left_occipital": "L-OCC",
    "left_temporal": "L-TEMP",
    "left_share": "L-SHARE",
    "right_occipital": "R-OCC",
    "right_temporal": "R-TEMP",
    "right_share": "R-SHARE",
    "hydrocephalus": "HYDRO",
    "cisterns": "CIST",
    "evacuated": "EVAC",
    "sdh_both_sides": "SDH-2",
    "shift_mm": "SHIFT",
}


def score_of(score: str, title: str) -> Code:
    """The code of a published score."""
    return _private(score.upper(), title)


def score_part(score: str, part: str, title: str) -> Code:
    """The code of a part of a score, or of its total.

    >>> score_part("stockholm", "stockholm_sdh_both_sides", "").value
    'STOCKHOLM-SDH-2'
    """
    name = part.removeprefix(f"{score}_")
    return _private(f"{score}-{_PART.get(name, name)}".upper().replace("_", "-"), title)
