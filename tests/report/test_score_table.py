"""Criteria and scores in the report say what is undecided, and why."""

from __future__ import annotations

import numpy as np

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.measure.summary import measure_exam
from monai_ich.measure.volume import DEFAULT_OPERATING_POINTS_ML
from monai_ich.report.verdicts import criteria_table, score_table

VOXELS = np.zeros((10, 10, 10), np.uint8)
VOXELS[:5, :5, :2] = Subtype.IVH  # 0.05 mL
EXAM = measure_exam(
    LabelMap(VOXELS, Geometry(VOXELS.shape, np.eye(4)), Subtype),
    operating_points=DEFAULT_OPERATING_POINTS_ML,
)


def test_an_undecided_criterion_is_worded_as_undecided() -> None:
    (row,) = [r for r in criteria_table(EXAM).split("<tr>") if "ICH score: intraventricular" in r]
    assert ">not decidable<" in row and ">not met<" not in row
    assert "IVH 0.05 mL, below the operating point of 0.1 mL: too little to tell" in row


def test_a_score_shows_known_parts_and_reasons() -> None:
    (row,) = [r for r in score_table(EXAM).split("<tr>") if "Helsinki" in r]
    assert ">SDH 0, IPH 0, EDH 0, mass 0<" in row
    assert "cisterns: the basal cisterns are not measured" in row
