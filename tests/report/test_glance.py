"""What a reader asks first is said first, each in one line, and never against a number below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monai_ich.core.calibration import Calibrator, Misses
from monai_ich.core.exam import Criterion, ExamMeasurements
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.lesion import Abc2
from monai_ich.core.measurement import Category
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.summary import measure_exam
from monai_ich.report.page import as_page
from monai_ich.report.tables import lesion_table, measurement_table
from monai_ich.report.verdicts import sign_table
from monai_ich.report.wording import abc2_words, glance_lines, headline, interval_words

GRID = Geometry((60, 60, 10), np.diag([1.0, 1.0, 5.0, 1.0]))


def _exam(subtype: Subtype = Subtype.IPH, uncertain: tuple[str, ...] = ()) -> ExamMeasurements:
    """A block of 20 x 20 x 20 mm, 8 mL, and a speck of 2 voxels, 0.01 mL."""
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels[10:30, 10:30, 3:7], voxels[50, 50:52, 5] = subtype, subtype
    ct = CTVolume(np.where(voxels, 60.0, 30.0).astype(np.float32), GRID)
    return measure_exam(LabelMap(voxels, GRID, Subtype), ct=ct, uncertain=uncertain)


def test_the_largest_iph_is_placed_and_its_signs_are_named() -> None:
    exam = _exam()
    lesion = replace(exam.lesions[0], side="left", location=Category("basal_ganglia"))
    sign = Criterion("blend_sign", True, "19 HU", "Li 2015", "Blend sign")
    lines = glance_lines(replace(exam, lesions=(lesion,), signs=(sign,)))
    assert (
        "Largest IPH: 8.0 mL, left, basal ganglia. Present on non-contrast CT: blend sign." in lines
    )
    assert lines[0].endswith("not measurable: no anatomy labels were given.")
    assert lines[-1].startswith("Published criteria that are met: none. Not decidable: ")
    assert not any("IPH" in line for line in glance_lines(_exam(Subtype.SAH)))


def test_an_uncertain_subtype_is_perhaps_and_a_certain_one_is_named() -> None:
    ml = "intraparenchymal hemorrhage 8.0 mL."
    assert headline(_exam()) == f"Hemorrhage found, 8.0 mL in all: {ml}"
    assert headline(_exam(uncertain=("IPH",))) == (
        f"Hemorrhage found, 8.0 mL in all, of uncertain subtype: perhaps {ml}"
    )


def test_the_lesion_table_has_lengths_of_abc2_and_counts_specks() -> None:
    table = lesion_table(_exam())
    assert "(27.9 x 27.9 x 20.0 mm)" in table and ">60 HU<" in table  # the block's diagonals
    assert "Pieces below 0.1 mL, which are not listed: 1, 0.01 mL together." in table
    assert "not defined for SAH" in lesion_table(_exam(Subtype.SAH))


def test_a_scan_without_iph_has_one_sentence_instead_of_eight_rows() -> None:
    assert sign_table(_exam(Subtype.SAH)) == "<p>Not judged: no IPH was found.</p>"
    assert sign_table(_exam()).count("<tr>") == 9


def test_edema_that_nobody_labeled_has_its_reason() -> None:
    (row,) = [r for r in measurement_table(_exam()).split("<tr>") if "Edema" in r]
    assert "not measurable: no edema labels were given" in row


def test_a_probability_above_the_share_of_misses_is_told_beside_it() -> None:
    misses = Misses(164, 5)
    (clear,) = interval_words((0.0, 0.0), "mL", misses, 0.05)
    (unclear,) = interval_words((0.0, 0.0), "mL", Misses(164, 0), 0.049)
    assert clear.endswith("5 held some: at most 6.3 % of such scans)")
    assert unclear.endswith("at most 1.8 % of such scans; this scan is less clear: 5 %)")


def test_no_interval_of_zero_stands_beside_a_probability_that_contradicts_it() -> None:
    calibrator = Calibrator(0.5, (0.0, 2.0), (-1.0, 2.0), (0.0, 0.0), 100, 30, 164, 5)
    assert calibrator.probability(-1.0) > 0.05 > calibrator.probability(-2.0)
    assert calibrator.interval_ml(0.0, 0.01, 0.1, -2.0) == (0.0, 0.0)
    assert calibrator.interval_ml(0.0, 0.5, 0.1, -1.0) is None
    assert interval_words(None, "mL", Misses(164, 5), 0.6) == [
        "none is outlined, but not ruled out"
    ]
    wider = replace(calibrator, where_none=(0.0, 4.0))
    assert wider.interval_ml(0.0, 0.5, 0.1, -1.0) is not None, "it says that there may be some"


def test_the_lengths_of_abc2_give_its_volume_as_they_are_printed() -> None:
    lesion = replace(_exam().lesions[0], abc2=Abc2("Gebel 1998", 98.6, 6.9, 70.0, 70.0))
    assert abc2_words(lesion) == "23.8 mL (98.6 x 6.9 x 70.0 mm)"  # 47,623.8 mm3 / 2


def test_the_status_stands_in_the_margin_of_each_sheet_where_it_covers_nothing() -> None:
    page = as_page("Head", [], on_each_sheet='No "device" 5 < 6.')
    assert '@bottom-left { content: "No \\22 device\\22  5 \\3c  6\\2e ";' in page
    assert "position: fixed" not in page
