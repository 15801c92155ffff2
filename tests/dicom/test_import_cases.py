"""The case table: every way in which a head CT may come lies right against the analytic phantom, or
is refused.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_ich.io.read import read_ct
from tests.dicom.refusal import codes, refused
from tests.dicom_cases import CASES, Case
from tests.phantom import agreement, ball_volumes_ml, true_volumes_ml


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_series_lies_right_or_is_refused(tmp_path: Path, case: Case) -> None:
    case.write(tmp_path)
    if case.refused:
        assert refused(tmp_path, **case.how) == case.refused
        return
    scan = read_ct(tmp_path, **case.how)
    assert codes(scan) == set(case.warned)
    assert agreement(scan.volume) > (0.95 if case.inexact else 0.999)
    for found_ml, true_ml in zip(ball_volumes_ml(scan.volume), true_volumes_ml(), strict=True):
        assert found_ml == pytest.approx(true_ml, rel=case.volume_error * (1 if true_ml > 2 else 5))


def test_the_phantom_knows_its_volumes() -> None:
    """A ball of radius a and edge s holds 4/3 pi (a^3 + pi^2 a s^2); the skull cuts off a
    little.
    """
    assert true_volumes_ml() == pytest.approx([27.41, 16.62, 1.90], rel=0.035)
