"""What label values mean: the one table that every reader, writer, network and report uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias


class Subtype(IntEnum):
    """Hemorrhage subtypes, in the order of RSNA 2019 and BHSD. 0 is background."""

    EDH = 1
    IPH = 2
    IVH = 3
    SAH = 4
    SDH = 5


class Hemorrhage(IntEnum):
    """Blood of any subtype as one label, for masks that do not tell subtypes apart. 0 is
    background.

    Its number is none of `Subtype` and not `EDEMA`: members of two such enums with one number are
    equal.
    """

    ANY = 7


EXTRA_AXIAL = (Subtype.EDH, Subtype.SDH)  # between skull and brain
# around a clot: the class of the network after the subtypes; never blood, never in a map of
# subtypes
EDEMA = 6
UNLABELED = (
    64  # and above, in training: background of masks that do not hold all classes, see `may_be`
)


def unlabeled(classes: Iterable[int]) -> int:
    """The value, in training, of background where some classes are not labeled, so that it may be
    one of these.

    >>> unlabeled([]), unlabeled([1, EDEMA])
    (0, 97)
    """
    bits = sum(1 << (value - 1) for value in set(classes))
    return UNLABELED + bits if bits else 0


def may_be(value: int) -> tuple[int, ...]:
    """The classes that a voxel of an `unlabeled` value may be, beside background; none for other
    values.

    >>> may_be(97), may_be(5)
    ((1, 6), ())
    """
    return tuple(
        bit + 1 for bit in range(EDEMA) if value >= UNLABELED and (value - UNLABELED) >> bit & 1
    )


class Anatomy(IntEnum):
    """The intracranial cavity in parts; their union is the cavity ("skull stripping"). 0 is
    outside.

    Left and right are the patient's and are parted by the *displaced* midline. The lateral
    ventricles with their half of the third belong to a side; the fourth ventricle belongs to the
    posterior fossa.
    """

    LEFT_HEMISPHERE = 1
    RIGHT_HEMISPHERE = 2
    LEFT_VENTRICLE = 3
    RIGHT_VENTRICLE = 4
    POSTERIOR_FOSSA = 5


class Cavity(IntEnum):
    """The intracranial cavity as one segment."""

    CAVITY = 1


class EdemaMask(IntEnum):
    """Edema as one segment; in a network's classes it has the value `EDEMA`."""

    EDEMA = 1


class AnyLabel(IntEnum):
    """Numbers of a mask that comes from elsewhere: what they mean is its maker's business. Only for
    passing through.
    """

    _ignore_ = "n"
    for n in range(1, 256):
        vars()[f"LABEL_{n}"] = n


LabelSet: TypeAlias = (
    type[Subtype]
    | type[Hemorrhage]
    | type[Anatomy]
    | type[Cavity]
    | type[EdemaMask]
    | type[AnyLabel]
)


@dataclass(frozen=True)
class Code:
    """A coded concept: (value, scheme, meaning), as DICOM PS3.16 and 3D Slicer terminologies hold
    it.
    """

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Label:
    """One row of the table.

    Args:
        name: as 3D Slicer and reports show it.
        color: sRGB, 0 to 255.
        category: segmentation property category.
        type: segmentation property type.
        region: anatomic region, None where the type says it.
    """

    name: str
    color: tuple[int, int, int]
    category: Code
    type: Code
    region: Code | None = None


_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
_HEMORRHAGE = Code("50960005", "SCT", "Hemorrhage")
_ANATOMICAL = Code("123037004", "SCT", "Anatomical Structure")
_TISSUE = Code("85756007", "SCT", "Tissue")
_CAVITY = Code("91723000", "SCT", "Anatomical structure")
_INTRACRANIAL = Code("1101003", "SCT", "Intracranial")
_HEMISPHERE = Code("83678007", "SCT", "Cerebral hemisphere")
_VENTRICLE = Code("66720007", "SCT", "Lateral ventricle")

_TABLE: dict[str, Label] = {
    "EDH": Label("Epidural hematoma", (240, 228, 66), _ABNORMAL, _HEMORRHAGE, _INTRACRANIAL),
    "IPH": Label(
        "Intraparenchymal hemorrhage",
        (213, 62, 30),
        _ABNORMAL,
        _HEMORRHAGE,
        Code("12738006", "SCT", "Brain"),
    ),
    "IVH": Label(
        "Intraventricular hemorrhage",
        (86, 180, 233),
        _ABNORMAL,
        _HEMORRHAGE,
        Code("35764002", "SCT", "Brain ventricle"),
    ),
    "SAH": Label(
        "Subarachnoid hemorrhage",
        (0, 158, 115),
        _ABNORMAL,
        _HEMORRHAGE,
        Code("35951006", "SCT", "Subarachnoid space"),
    ),
    "SDH": Label("Subdural hematoma", (204, 121, 167), _ABNORMAL, _HEMORRHAGE, _INTRACRANIAL),
    "ANY": Label("Intracranial hemorrhage", (200, 30, 30), _ABNORMAL, _HEMORRHAGE, _INTRACRANIAL),
    "LEFT_HEMISPHERE": Label("Left hemisphere", (102, 155, 255), _ANATOMICAL, _HEMISPHERE),
    "RIGHT_HEMISPHERE": Label("Right hemisphere", (255, 153, 102), _ANATOMICAL, _HEMISPHERE),
    "LEFT_VENTRICLE": Label(
        "Left lateral and third ventricle", (30, 70, 200), _ANATOMICAL, _VENTRICLE
    ),
    "RIGHT_VENTRICLE": Label(
        "Right lateral and third ventricle", (190, 60, 20), _ANATOMICAL, _VENTRICLE
    ),
    "POSTERIOR_FOSSA": Label(
        "Posterior fossa",
        (120, 190, 120),
        _ANATOMICAL,
        Code("13958008", "SCT", "Posterior cranial fossa"),
    ),
    "EDEMA": Label(
        "Edema",
        (170, 140, 220),
        _ABNORMAL,
        Code("79654002", "SCT", "Edema"),
        Code("12738006", "SCT", "Brain"),
    ),
    "CAVITY": Label("Intracranial cavity", (200, 200, 200), _CAVITY, _INTRACRANIAL),
}


def label_of(value: Subtype | Hemorrhage | Anatomy | Cavity | EdemaMask | AnyLabel) -> Label:
    """Name, color and codes of a label value.

    >>> label_of(Subtype.EDH).name, label_of(Anatomy.LEFT_HEMISPHERE).name
    ('Epidural hematoma', 'Left hemisphere')
    """
    if isinstance(value, AnyLabel):
        return Label(f"Label {int(value)}", (200, 200, 200), _TISSUE, _TISSUE)
    return _TABLE[
        value.name
    ]  # by name: members of different enums with one number are equal as dictionary keys
