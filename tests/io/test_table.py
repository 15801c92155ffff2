"""Tables from an exam made by hand: every number in the files is one that stands here."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_ich.core.acquisition import Acquisition
from monai_ich.core.calibration import CalibrationSet, Misses
from monai_ich.core.exam import (
    Criterion,
    ExamMeasurements,
    MidlineShift,
    Score,
    SubtypeFinding,
    Ventricles,
)
from monai_ich.core.exam_slices import SliceRow
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.lesion import Abc2, Lesion
from monai_ich.core.measurement import Measurement
from monai_ich.core.provenance import Notice, Provenance
from monai_ich.core.volume import LabelMap
from monai_ich.io.lesion_table import write_lesions_csv
from monai_ich.io.slice_table import write_slices_csv
from monai_ich.io.table import (
    write_measurements_csv,
    write_measurements_json,
)
from monai_ich.measure.criteria import CRITERION_COLUMNS
from monai_ich.measure.summary import measure_exam


def _ml(name: str, value: float | None, reason: str | None = None) -> Measurement:
    return Measurement(name, value, "mL", "x", "by hand", reason=reason)


LESION = Lesion(
    1,
    Subtype.SDH,
    40.1004,
    Abc2("Gebel 1998", 100.0, 9.5, 80.0, 80.0),
    (-51.239, 2.0, 33.333),
    "left",
    "supratentorial",
    (3, 9),
    63.04,
    5.0,
    90.0,
    sphericity=0.4126,
    skull_mm=0.04,
    thickness=Measurement("thickness", 11.24, "mm", "SDH", "by hand"),
    thickest_at_ras_mm=(-60.0, 1.0, 30.0),
    axial_thickness=Measurement("axial_thickness", 12.34, "mm", "SDH", "by hand"),
)
SHIFT = MidlineShift(
    Measurement("midline_shift", 6.3049, "mm", "midline", "by hand", (5.6049, 7.0049)),
    "right",
    (6.3, -2.0, 9.126),
    4,
    ((4, 6.3049), (5, -2)),
)
FACTS = {name: Criterion(name, None, "by hand") for name in CRITERION_COLUMNS} | {
    "BTF-2006-SDH-SHIFT": Criterion(
        "BTF-2006-SDH-SHIFT", True, "SDH with midline shift 6.3 mm, limit > 5 mm"
    )
}


def _score_of(name: str) -> Score:
    return Score(
        name,
        name,
        (
            Measurement(f"{name}_shift", -3.0, "1", name, "by hand"),
            Measurement(f"{name}_share", 0.12345, "1", name, "by hand"),
            Measurement(f"{name}_cisterns", None, "1", name, "by hand", reason="not measured"),
        ),
        Measurement(f"{name}_total", None, "1", name, "by hand", reason="not known: cisterns"),
        "by hand",
    )


MADE = Provenance(
    {"python": "3", "monai-ich": "0.9.0"},
    weights={"ich_segmentation": "ab" * 32, "head_ct_anatomy": "cd" * 32},
    settings={"margin_mm": 12.0},
    acquisition=Acquisition.stated(5, "H31s", "GE MEDICAL SYSTEMS", where="the header").on(
        Geometry((4, 4, 4), np.diag([0.5, 0.5, 5.0, 1.0]))
    ),
)
EXAM = ExamMeasurements(
    subtypes=tuple(
        SubtypeFinding(s, s is Subtype.SDH, _ml("volume", 40.1004 * (s is Subtype.SDH)))
        for s in Subtype
    ),
    lesions=(LESION,),
    midline_shift=SHIFT,
    cavity_ml=_ml("cavity_volume", 1502.37),
    ventricles=Ventricles(
        _ml("ventricle_volume", 21.456),
        Measurement("left_right_ratio", 1.2504, "1", "ventricles", "by hand"),
        Measurement(
            "evans_index", None, "1", "ventricles", "by hand", reason="the slices are not axial"
        ),
    ),
    criteria=tuple(FACTS.values()),
    slices=(
        SliceRow(4, (0, 0, 10), (0, 0, 0, 0, 20.05)),
        SliceRow(6, (0, 0, 20), (0, 0, 0, 0, 20.0504)),
    ),
    warnings=(),
    scores=(_score_of("rotterdam"),),
)


def _record(path: Path, exam: ExamMeasurements) -> dict[str, Any]:
    warnings, provenance = (
        [Notice("GANTRY_TILT", "tilted")],
        Provenance({"python": "3"}, status="made by hand"),
    )
    write_measurements_json(path, exam, case_id="c1", warnings=warnings, provenance=provenance)
    record: dict[str, Any] = json.loads(path.read_text(), parse_constant=pytest.fail)
    return record


def test_json_holds_the_contract(tmp_path: Path) -> None:
    record = _record(tmp_path / "m.json", EXAM)
    assert record["schema"] == "monai-ich/measurements/1" and record["case_id"] == "c1"
    assert record["hemorrhage_present"] is True and record["total_volume_ml"] == 40.1
    assert record["subtypes"]["SDH"] == {
        "state": "found",
        "present": True,
        "certain": True,
        "volume_ml": 40.1,
    }
    assert record["subtypes"]["EDH"]["state"] == "not found"
    shift = record["midline_shift"]
    assert (shift["value_mm"], shift["toward"], shift["at_ras_mm"]) == (
        6.3,
        "right",
        [6.3, -2.0, 9.13],
    )
    (lesion,) = record["lesions"]
    assert (
        lesion.items()
        >= {"id": 1, "subtype": "SDH", "volume_ml": 40.1, "abc2_ml": 38.0, "side": "left"}.items()
    )
    assert lesion["centroid_ras_mm"] == [-51.24, 2.0, 33.33] and lesion["mean_hu"] == 63.0
    assert shift["interval_mm"] == [5.6, 7.0]
    assert shift["profile_mm"] == [
        {"slice": 4, "offset_right_mm": 6.3},
        {"slice": 5, "offset_right_mm": -2},
    ]
    thick = {"max_thickness_mm": 11.2, "thickest_at_ras_mm": [-60.0, 1.0, 30.0]}
    assert lesion.items() >= (thick | {"sphericity": 0.413, "skull_distance_mm": 0.0}).items()
    assert record["ventricles"] == {
        "volume_ml": 21.46,
        "left_right_ratio": 1.25,
        "evans_index": None,
        "evans_index_not_measurable": "the slices are not axial",
        "evans_slice": None,
        "third_ventricle_mm": None,
        "third_ventricle_mm_not_measurable": "it was not measured",
        "temporal_horns_mm": None,
        "temporal_horns_mm_not_measurable": "it was not measured",
    }
    assert [c["id"] for c in record["criteria"] if c["met"]] == ["BTF-2006-SDH-SHIFT"]
    assert record["scores"] == [
        {
            "id": "rotterdam",
            "components": [
                {"name": "rotterdam_shift", "value": -3},
                {"name": "rotterdam_share", "value": 0.1235},
                {"name": "rotterdam_cisterns", "not_measurable": "not measured"},
            ],
            "total": {"not_measurable": "not known: cisterns"},
            "source": "by hand",
        }
    ]
    assert record["warnings"] == [{"code": "GANTRY_TILT", "message": "tilted"}]
    assert record["provenance"]["status"] == "made by hand"


def test_json_has_no_key_of_what_is_not_measured_yet(tmp_path: Path) -> None:
    text = json.dumps(_record(tmp_path / "m.json", EXAM))
    assert not [key for key in ("interval_ml", "probability") if key in text]


def test_one_scan_is_one_row(tmp_path: Path) -> None:
    write_measurements_csv(tmp_path / "m.csv", EXAM, case_id="c1", provenance=MADE)
    (row,) = csv.DictReader((tmp_path / "m.csv").open())
    assert (row["case_id"], row["sdh_present"], row["sdh_volume_ml"], row["edh_volume_ml"]) == (
        "c1",
        "1",
        "40.1",
        "0.0",
    )
    assert (row["midline_shift_mm"], row["midline_shift_toward"], row["ventricles_ml"]) == (
        "6.3",
        "right",
        "21.46",
    )
    assert (row["midline_shift_low_mm"], row["midline_shift_high_mm"]) == ("5.6", "7.0")
    assert (
        row["sdh_max_thickness_mm"],
        row["edh_max_thickness_mm"],
        row["btf_sdh_shift"],
    ) == ("11.2", "", "1")
    assert (row["btf_edh_volume"], row["btf_edh_volume_reason"]) == ("", "by hand")
    assert (row["rotterdam_shift"], row["rotterdam_cisterns"], row["rotterdam_total"]) == (
        "-3",
        "",
        "",
    )
    assert row["rotterdam_reason"] == "cisterns: not measured; total: not known: cisterns"
    assert (row["evans_index"], row["evans_index_reason"]) == ("", "the slices are not axial")
    assert (row["sdh_axial_thickness_mm"], row["sdh_axial_thickness_reason"]) == ("12.3", "")
    assert (row["midline_shift_max_mm"], row["midline_shift_max_reason"]) == (
        "",
        "it was not looked for",
    )
    assert (row["sdh_lesion_count"], row["iph_lesion_count"], row["speck_count"]) == ("1", "0", "0")


def test_lesions_and_slices_are_rows(tmp_path: Path) -> None:
    write_lesions_csv(tmp_path / "l.csv", EXAM, case_id="c1", provenance=MADE)
    (lesion,) = csv.DictReader((tmp_path / "l.csv").open())
    assert (lesion["centroid_r_mm"], lesion["first_slice"], lesion["last_slice"]) == (
        "-51.24",
        "3",
        "9",
    )
    lengths = ("abc2_a_mm", "abc2_b_mm", "abc2_c_mm", "abc2_c_unweighted_mm", "abc2_ml")
    assert [float(lesion[name]) for name in lengths] == [100, 9.5, 80, 80, 38]
    assert (lesion["abc2_method"], lesion["abc2_reason"]) == ("Gebel 1998", "")
    write_slices_csv(tmp_path / "s.csv", EXAM, case_id="c1", provenance=MADE)
    first, second = csv.DictReader((tmp_path / "s.csv").open())
    assert (first["sdh_volume_ml"], first["midline_offset_right_mm"]) == ("20.05", "6.3")
    assert (second["slice"], second["center_s_mm"], second["midline_offset_right_mm"]) == (
        "6",
        "20",
        "",
    )


def test_an_empty_exam_has_zeros_and_reasons_but_the_same_columns(tmp_path: Path) -> None:
    empty = measure_exam(
        LabelMap(np.zeros((4, 4, 4), np.uint8), Geometry((4, 4, 4), np.eye(4)), Subtype)
    )
    for name, exam in (("a", replace(EXAM, scores=empty.scores)), ("b", empty)):
        write_measurements_csv(tmp_path / f"{name}.csv", exam, case_id=name, provenance=MADE)
        write_lesions_csv(tmp_path / f"{name}-lesions.csv", exam, case_id=name, provenance=MADE)
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == (
        tmp_path / "b.csv"
    ).read_text().splitlines()[0]
    head = [(tmp_path / f"{n}-lesions.csv").read_text().splitlines() for n in "ab"]
    assert head[0][0] == head[1][0] and len(head[1]) == 1
    record = _record(tmp_path / "m.json", empty)
    assert (
        record["hemorrhage_present"] is False
        and record["total_volume_ml"] == 0.0
        and record["lesions"] == []
    )
    for part in ("midline_shift", "cavity", "ventricles"):
        assert record[part] == {"not_measurable": "no anatomy labels were given"}


def test_each_row_says_what_made_it(tmp_path: Path) -> None:
    write_measurements_csv(tmp_path / "m.csv", EXAM, case_id="c1", provenance=MADE)
    write_lesions_csv(tmp_path / "l.csv", EXAM, case_id="c1", provenance=MADE)
    write_slices_csv(tmp_path / "s.csv", EXAM, case_id="c1", provenance=MADE)
    cells = {
        "toolkit_version": "0.9.0",
        "weights": f"head_ct_anatomy {'cd' * 8}, ich_segmentation {'ab' * 8}",
        "weights_reason": "",
        "settings_digest": MADE.settings_digest,
        "slice_thickness_mm": "5",
        "spacing_i_mm": "0.5",
        "spacing_j_mm": "0.5",
        "spacing_k_mm": "5",
        "gantry_tilt_deg": "0",
        "kernel": "H31S",
        "manufacturer": "GE",
        "acquisition_reason": "",
    }
    for name, count in (("m", 1), ("l", 1), ("s", 2)):
        rows = list(csv.DictReader((tmp_path / f"{name}.csv").open()))
        assert len(rows) == count
        for row in rows:
            found = {key: row[key].removesuffix(".0") for key in cells if key != "toolkit_version"}
            assert found | {"toolkit_version": row["toolkit_version"]} == cells


def test_rows_of_two_settings_or_calibrations_can_be_told_apart() -> None:
    digest = MADE.settings_digest
    assert replace(MADE, settings={"margin_mm": 9.0}).settings_digest != digest
    assert replace(MADE, configs={"ich_segmentation": "12"}).settings_digest != digest
    same = replace(MADE, settings=MADE.settings | {"study_digest": "of these files"})
    assert same.settings_digest == digest, "the same settings on other scans"
    assert Provenance.from_dict(json.loads(json.dumps(asdict(MADE)))) == MADE
    assert Provenance.from_dict({"versions": {}, "weights": {}}).acquisition.reason is not None


def test_a_calibrated_exam_says_what_it_was_learned_on(tmp_path: Path) -> None:
    learned = CalibrationSet("heads of ours", 200, 90)
    exam = replace(EXAM, calibrated_on=learned, misses=Misses(150, 0))
    write_measurements_csv(tmp_path / "m.csv", exam, case_id="c1", provenance=MADE)
    (row,) = csv.DictReader((tmp_path / "m.csv").open())
    names = ("data", "scans", "with_blood", "reason")
    assert [row[f"calibration_{name}"] for name in names] == ["heads of ours", "200", "90", ""]
    assert (row["hemorrhage_miss_share_high"], row["edh_miss_share_high"]) == ("0.0198", "")
    assert _record(tmp_path / "m.json", exam)["calibration"] == asdict(learned)
    bare = _record(tmp_path / "b.json", EXAM)["calibration"]
    assert bare == {"not_measurable": "no network was run"}


def test_an_interval_that_is_missing_beside_a_probability_has_its_reason(tmp_path: Path) -> None:
    none, some, *others = EXAM.subtypes
    some = replace(some, volume=replace(some.volume, value=5.0), probability=0.9)
    learned = CalibrationSet("heads of ours", 200, 90)
    exam = replace(
        EXAM, calibrated_on=learned, subtypes=(replace(none, probability=0.42), some, *others)
    )
    write_measurements_csv(tmp_path / "m.csv", exam, case_id="c1", provenance=MADE)
    (row,) = csv.DictReader((tmp_path / "m.csv").open())
    assert row["edh_volume_low_ml"] == row["iph_volume_low_ml"] == ""
    assert row["calibration_reason"] == (
        "EDH has no interval: none is found although its probability exceeds 5 %; "
        "IPH has no interval: too few scans of its kind were calibrated on"
    )
