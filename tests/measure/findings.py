"""Findings made by hand, for criteria and scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from monai_ich.core.exam import MidlineShift, SubtypeFinding
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import EXTRA_AXIAL, Anatomy, Subtype
from monai_ich.core.lesion import Lesion
from monai_ich.core.measurement import Measurement, NotMeasurable
from monai_ich.core.volume import LabelMap
from monai_ich.measure.blood import Blood


def lesion(
    subtype: Subtype,
    ml: float,
    *,
    side: str = "left",
    compartment: str = "supratentorial",
    thick_mm: float | None = None,
    why: str = "not asked for",
) -> Lesion:
    """One lesion; EDH and SDH have a thickness or the reason `why` there is none."""
    thickness = Measurement(
        "thickness", thick_mm, "mm", subtype.name, "by hand", reason=None if thick_mm else why
    )
    return Lesion(
        *(
            1,
            subtype,
            ml,
            NotMeasurable("by hand"),
            (0.0, 0.0, 0.0),
            side,
            compartment,
            (0, 0),
            None,
            None,
            None,
        ),
        thickness=thickness if subtype in EXTRA_AXIAL else None,
        axial_thickness=thickness if subtype in EXTRA_AXIAL else None,
    )


def blood_of(
    *lesions: Lesion,
    shift_mm: float | None = None,
    uncertain: Collection[Subtype] = (),
    operating_points: Mapping[str, float] | None = None,
    anatomy: bool = True,
    fossa: bool = True,
) -> Blood:
    """An exam that holds these lesions and no more."""
    lesions = tuple(x for x in lesions if x.volume_ml)
    points = operating_points or {}
    found = []
    for s in Subtype:
        ml = sum(x.volume_ml for x in lesions if x.subtype is s)
        volume = Measurement("volume", ml, "mL", s.name, "by hand")
        found.append(SubtypeFinding(s, ml > 0, volume, s not in uncertain))
    shift = Measurement(
        "midline_shift", shift_mm, "mm", "midline", "by hand", reason="no falx is in view"
    )
    parts = np.full((2, 2, 2), Anatomy.LEFT_HEMISPHERE, np.uint8)
    if fossa:
        parts[0] = Anatomy.POSTERIOR_FOSSA
    given = LabelMap(parts, Geometry(parts.shape, np.eye(4)), Anatomy) if anatomy else None
    return Blood.of(found, lesions, MidlineShift(shift), given, points)
