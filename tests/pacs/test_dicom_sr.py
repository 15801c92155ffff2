"""A DICOM SR holds every number of an exam with its code and unit; what was not measured is said,
not left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_ich.core.calibration import CalibrationSet, Misses
from monai_ich.core.exam import (
    Criterion,
    Edema,
    ExamMeasurements,
    MidlineShift,
    Score,
    SubtypeFinding,
    Ventricles,
)
from monai_ich.core.labels import Subtype
from monai_ich.core.lesion import Abc2, Lesion, Specks
from monai_ich.core.measurement import Category, Measurement
from monai_ich.core.provenance import Notice
from monai_ich.io.read import Scan, read_ct
from monai_ich.measure.summary import measure_exam
from monai_ich.pacs import codes
from monai_ich.pacs.sc import make_dicom_sc
from monai_ich.pacs.seg import make_dicom_seg
from monai_ich.pacs.sr import make_dicom_sr
from tests.phantom import series
from tests.seg_contract import origin_of, true_labels


def _ml(value: float, of: str = "SDH", interval: tuple[float, float] | None = None) -> Measurement:
    return Measurement("volume", value, "mL", of, "voxels", interval)


def _exam() -> ExamMeasurements:
    """Numbers that occur once each."""
    found = {Subtype.SDH: 40.125, Subtype.IPH: 1.5}
    subtypes = tuple(
        SubtypeFinding(
            s,
            s in found,
            _ml(found.get(s, 0.0), s.name, (36.125, 47.125) if s is Subtype.SDH else None),
            certain=s is not Subtype.IPH,
            probability={Subtype.SDH: 0.97}.get(s),
        )
        for s in Subtype
    )
    thick = Measurement("thickness", 11.2, "mm", "SDH", "normal")
    where = ((40, 10, 5), "left", "supratentorial", (3, 9))
    density_and_shape = (63.5, 7.5, 88.0, 0.41, 0.6)
    sdh = Lesion(
        1,
        Subtype.SDH,
        40.125,
        Abc2("Gebel 1998", 90.0, 10.0, 85.0, 86.0),
        *where,
        *density_and_shape,
        thick,
        (61.0, -12.0, 7.5),
        replace(thick, name="axial_thickness", value=13.5),
        density=Category("mixed"),
    )
    iph = Lesion(
        2,
        Subtype.IPH,
        1.5,
        Abc2("Kothari 1996", 20.0, 11.0, 12.5, 15.0),
        (-20, 0, 0),
        "right",
        "infratentorial",
        (4, 5),
        None,
        None,
        None,
        0.64,
        location=Category(None, "the head was not brought to the atlas"),
    )
    shift = MidlineShift(
        Measurement("midline_shift", 6.25, "mm", "midline", "plane", (5.5, 7.0)),
        "right",
        (3.0, -4.0, 5.0),
    )
    ventricles = Ventricles(
        _ml(21.75, "ventricles"),
        Measurement("left_right_ratio", 0.875, "1", "ventricles", ""),
        Measurement("evans_index", None, "1", "ventricles", "", reason="no frontal horns"),
        third_width=Measurement("third_ventricle", 7.5, "mm", "ventricles", ""),
    )
    edema = Edema(_ml(12.5, "edema"), Measurement("edema_iph_ratio", 12.5 / 1.5, "1", "edema", ""))
    parts = (
        Measurement("marshall_shift", 1.0, "1", "Marshall (1991)", ""),
        Measurement("marshall_mass_ml", 40.125, "mL", "Marshall (1991)", ""),
        Measurement("marshall_cisterns", None, "1", "Marshall (1991)", "", reason="not measured"),
    )
    total = Measurement("marshall_total", None, "1", "", "", reason="not known: cisterns")
    return ExamMeasurements(
        subtypes,
        (sdh, iph),
        shift,
        _ml(1402.5, "cavity"),
        ventricles,
        (),
        (),
        (),
        (36.0, 48.625),
        0.99,
        specks=Specks(2, 0.05),
        edema=edema,
        scores=(Score("marshall", "Marshall (1991)", parts, total, "Marshall 1991"),),
    )


def _sr(
    tmp_path: Path,
    scan: Scan,
    exam: ExamMeasurements,
    name: str = "sr.dcm",
    warnings: tuple[Notice, ...] = (),
) -> pydicom.Dataset:
    origin = origin_of(scan, repr(exam).encode())
    labels = true_labels(scan.volume.geometry)
    seg = make_dicom_seg([labels], origin, what="hemorrhage", series_number=901)
    origin.write(
        tmp_path / name, make_dicom_sr(exam, seg, origin, series_number=903, warnings=warnings)
    )
    origin.write(tmp_path / "seg.dcm", seg)
    return pydicom.dcmread(tmp_path / name)


def _text(code: pydicom.Dataset) -> tuple[str, str]:
    return code.CodeValue, code.CodingSchemeDesignator


def _groups(d: pydicom.Dataset) -> dict[str, list[pydicom.Dataset]]:
    """Tracking identifier to the content of each measurement group."""
    (imaging,) = [
        i for i in d.ContentSequence if _text(i.ConceptNameCodeSequence[0]) == ("126010", "DCM")
    ]
    found = {}
    for group in imaging.ContentSequence:
        (name,) = [i.TextValue for i in group.ContentSequence if _name(i) == ("112039", "DCM")]
        found[name] = list(group.ContentSequence)
    return found


def _name(item: pydicom.Dataset) -> tuple[str, str]:
    return _text(item.ConceptNameCodeSequence[0])


def _numbers(group: list[pydicom.Dataset]) -> dict[tuple[str, ...], tuple[float, str]]:
    """Name and modifiers (method, derivation) to value and unit."""
    found = {}
    for item in group:
        if item.ValueType == "NUM":
            modifiers = [
                i
                for i in item.get("ContentSequence", ())
                if i.RelationshipType == "HAS CONCEPT MOD"
            ]
            key = (_name(item)[0], *(i.ConceptCodeSequence[0].CodeValue for i in modifiers))
            value = item.MeasuredValueSequence[0]
            found[key] = float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue
    return found


def _said(group: list[pydicom.Dataset]) -> dict[str, str]:
    return {_name(i)[0]: i.ConceptCodeSequence[0].CodeValue for i in group if i.ValueType == "CODE"}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return read_ct(series(tmp_path_factory.mktemp("ct") / "ct", PatientID="4711"))


def test_every_number_is_there_with_code_and_unit(tmp_path: Path, scan: Scan) -> None:
    groups = _groups(_sr(tmp_path, scan, _exam()))
    volume, hu = codes.VOLUME.value, "[hnsf'U]"
    assert list(groups) == [
        *("hemorrhage", "EDH", "IPH", "IVH", "SAH", "SDH"),
        *("SDH lesion 1", "IPH lesion 2", "midline shift", "largest midline shift"),
        *("ventricles", "edema", "intracranial cavity", "Marshall (1991)"),
    ]
    assert _numbers(groups["hemorrhage"]) == {
        (volume,): (41.625, "ml"),
        ("122157",): (0.99, "1"),
        ("SPECK-COUNT",): (2, "1"),
        ("SPECK-VOLUME",): (0.05, "ml"),
    }
    assert _numbers(groups["SDH"]) == {(volume,): (40.125, "ml"), ("122157",): (0.97, "1")}
    assert _numbers(groups["EDH"]) == {(volume,): (0.0, "ml")}
    assert _numbers(groups["SDH lesion 1"]) == {
        (volume,): (40.125, "ml"),
        (volume, "ABC2"): (38.25, "ml"),
        ("ABC2-A",): (90.0, "mm"),
        ("ABC2-B",): (10.0, "mm"),
        ("ABC2-C",): (85.0, "mm"),
        ("ABC2-C-ALL",): (86.0, "mm"),
        ("THICKNESS",): (11.2, "mm"),
        ("AXIAL-THICKNESS",): (13.5, "mm"),
        ("112031", "373098007"): (63.5, hu),
        ("112031", "386136009"): (7.5, hu),
        ("112031", "56851009"): (88.0, hu),
        ("QCFX",): (0.41, "1"),
        ("SKULL-DISTANCE",): (0.6, "mm"),
    }
    assert _numbers(groups["midline shift"]) == {("121206",): (6.25, "mm")}
    assert _numbers(groups["ventricles"]) == {
        (volume,): (21.75, "ml"),
        ("LEFT-RIGHT",): (0.875, "{ratio}"),
        ("THIRD-VENTRICLE",): (7.5, "mm"),
    }
    assert _numbers(groups["edema"]) == {
        (volume,): (12.5, "ml"),
        ("EDEMA-RATIO",): (8.333, "{ratio}"),
    }
    assert _numbers(groups["IPH lesion 2"])["IRREGULARITY",] == (125.0, "1")
    assert _numbers(groups["Marshall (1991)"]) == {
        ("MARSHALL-SHIFT",): (1, "1"),
        ("MARSHALL-MASS-ML",): (40.125, "ml"),
    }
    assert _numbers(groups["intracranial cavity"]) == {(volume,): (1402.5, "ml")}


def test_presence_side_and_doubt_are_said(tmp_path: Path, scan: Scan) -> None:
    groups = _groups(_sr(tmp_path, scan, _exam()))
    present, absent = "52101004", "272519000"
    assert _said(groups["hemorrhage"])["121052"] == _said(groups["SDH"])["121052"] == present
    assert _said(groups["EDH"])["121052"] == absent
    assert _said(groups["IPH"])["KIND"] == "KIND-UNCERTAIN" and "KIND" not in _said(groups["SDH"])
    assert _said(groups["midline shift"])["MLS-TOWARD"] == "24028007"  # right
    assert _said(groups["IPH lesion 2"])["COMPARTMENT"] == "INFRATENTORIAL"
    assert _said(groups["SDH lesion 1"])["DENSITY-CLASS"] == "MIXED-DENSITY"
    assert _said(groups["IPH lesion 2"])["IPH-LOCATION"] == "373068000"  # undetermined
    assert _said(groups["Marshall (1991)"])["MARSHALL-CIST"] == "114006"  # failure
    (site,) = [i for i in groups["SDH lesion 1"] if _name(i)[0] == "363698007"]
    assert site.ContentSequence[0].ConceptCodeSequence[0].CodeValue == "7771000"  # left


def _evaluations(d: pydicom.Dataset) -> list[tuple[str, str]]:
    """Name and answer or words, in order."""
    (said,) = [i for i in d.ContentSequence if _name(i) == ("C0034375", "UMLS")]
    return [
        (
            _name(i)[0],
            i.ConceptCodeSequence[0].CodeMeaning if i.ValueType == "CODE" else i.TextValue,
        )
        for i in said.ContentSequence
    ]


def test_criteria_and_warnings_are_said_of_the_exam(tmp_path: Path, scan: Scan) -> None:
    criteria = (
        Criterion("BTF-2006-SDH-THICKNESS", True, "SDH 11.2 mm thick, limit 10 mm", "Bullock 2006"),
        Criterion("ICH-SCORE-VOLUME", False, "IPH 1.5 mL, limit 30 mL", "Hemphill 2001"),
        Criterion(
            "ICH-SCORE-INFRATENTORIAL", None, "no anatomy labels were given", "Hemphill 2001"
        ),
    )
    warnings = (Notice("GANTRY_TILT", "The tilt is kept."),)
    signs = (Criterion("blend_sign", True, "19.0 HU, limit 18 HU", "Li 2015", "Blend sign"),)
    exam = replace(_exam(), criteria=criteria, signs=signs)
    assert _evaluations(_sr(tmp_path, scan, exam, warnings=warnings)) == [
        ("STATUS", "For research use; not a medical device."),
        ("BTF-SDH-THICK", "Yes"),
        ("BTF-SDH-THICK", "SDH 11.2 mm thick, limit 10 mm (Bullock 2006)"),
        ("ICHSCORE-VOLUME", "No"),
        ("ICHSCORE-VOLUME", "IPH 1.5 mL, limit 30 mL (Hemphill 2001)"),
        ("ICHSCORE-INFRA", "Undetermined"),
        ("ICHSCORE-INFRA", "no anatomy labels were given (Hemphill 2001)"),
        ("SIGN-BLEND", "Present"),
        ("SIGN-BLEND", "19.0 HU, limit 18 HU (Li 2015)"),
        ("114006", "largest midline shift: it was not looked for"),
        ("114006", "Evans' index: no frontal horns"),
        ("114006", "width of the temporal horns: it was not measured"),
        ("114006", "IPH lesion 2, location: the head was not brought to the atlas"),
        ("114006", "Marshall (1991), cisterns: not measured"),
        ("114006", "Marshall (1991), total: not known: cisterns"),
        ("WARNING", "GANTRY_TILT: The tilt is kept."),
    ]


def test_what_was_not_measured_is_a_failure(tmp_path: Path, scan: Scan) -> None:
    assert _said(_groups(_sr(tmp_path, scan, _exam()))["ventricles"])["EVANS"] == "114006"


def test_intervals_are_uncertainties_and_points_are_lps(tmp_path: Path, scan: Scan) -> None:
    (number,) = [
        i for i in _groups(_sr(tmp_path, scan, _exam()))["midline shift"] if i.ValueType == "NUM"
    ]
    parts = {_name(i)[0]: i for i in number.ContentSequence if i.ValueType == "NUM"}
    assert [
        float(parts[c].MeasuredValueSequence[0].NumericValue) for c in ("371886008", "371885007")
    ] == [0.75, 0.75]
    (point,) = [i for i in number.ContentSequence if i.ValueType == "SCOORD3D"]
    assert list(point.GraphicData) == [-3.0, 4.0, 5.0]
    assert (
        scan.source is not None
        and point.ReferencedFrameOfReferenceUID == scan.source.frame_of_reference_uid
    )


def test_an_exam_without_hemorrhage_has_a_report_too(tmp_path: Path, scan: Scan) -> None:
    labels = true_labels(scan.volume.geometry)
    empty = measure_exam(
        type(labels)(np.zeros_like(labels.voxels), labels.geometry, Subtype), ct=scan.volume
    )
    d = _sr(tmp_path, scan, empty)
    groups = _groups(d)
    assert _said(groups["hemorrhage"])["121052"] == "272519000"
    nothing = _numbers(groups["hemorrhage"])
    assert nothing.pop((codes.VOLUME.value,)) == (0.0, "ml")
    assert nothing == {("SPECK-COUNT",): (0, "1"), ("SPECK-VOLUME",): (0.0, "ml")}
    assert _said(groups["midline shift"])["121206"] == "114006"
    assert (d.PreliminaryFlag, d.VerificationFlag, d.CompletionFlag) == (
        "PRELIMINARY",
        "UNVERIFIED",
        "COMPLETE",
    )
    assert d.PatientID == "4711"
    answers = [words for _, words in _evaluations(d)[1:39:2]]
    assert answers == ["No"] * 11 + ["Undetermined"] * 8 and len(codes.CRITERIA) == 11
    assert {c.id for c in empty.criteria} == set(codes.CRITERIA)
    assert {sign.id for sign in empty.signs} == set(codes.SIGNS)
    assert {score.title for score in empty.scores} < set(groups)
    held = [_name(item)[0] for group in groups.values() for item in group]
    assert max(len(value) for value in held) <= 16, "what a DICOM code value holds"


def test_the_report_refers_to_the_segments_that_are_written(tmp_path: Path, scan: Scan) -> None:
    groups = _groups(_sr(tmp_path, scan, _exam()))
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    for subtype in Subtype:
        (image,) = [i for i in groups[subtype.name] if i.ValueType == "IMAGE"]
        reference = image.ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == int(subtype)


@pytest.mark.slow
def test_same_exam_same_bytes_other_numbers_other_uid(tmp_path: Path, scan: Scan) -> None:
    first, _ = _sr(tmp_path, scan, _exam(), "a.dcm"), _sr(tmp_path, scan, _exam(), "b.dcm")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    other = _sr(tmp_path, scan, replace(_exam(), probability=0.98), "c.dcm")
    assert first.SOPInstanceUID != other.SOPInstanceUID


def test_a_picture_is_kept_pixel_by_pixel(tmp_path: Path, scan: Scan) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (31, 41, 3), np.uint8)
    origin = origin_of(scan)
    for name in ("a.dcm", "b.dcm"):
        made = make_dicom_sc(picture, origin, what="hemorrhage montage", series_number=904)
        origin.write(tmp_path / name, made)
    d = pydicom.dcmread(tmp_path / "a.dcm")
    assert (
        np.array_equal(d.pixel_array, picture)
        and d.BurnedInAnnotation == "NO"
        and d.PatientID == "4711"
    )
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


@pytest.mark.slow
def test_what_probabilities_are_worth_is_said_of_the_exam(tmp_path: Path, scan: Scan) -> None:
    exam = _exam()
    learned = CalibrationSet("toy heads", 200, 90)
    edh = replace(exam.subtypes[0], misses=Misses(150, 0))
    calibrated = replace(exam, calibrated_on=learned, subtypes=(edh, *exam.subtypes[1:]))
    said = dict(_evaluations(_sr(tmp_path, scan, calibrated)))
    assert said["CALIBRATED-ON"] == learned.words and "90 of 200 (45 %)" in learned.words
    assert said["MISSES"] == f"EDH: {Misses(150, 0).words}"
    plain = dict(_evaluations(_sr(tmp_path, scan, exam, "plain.dcm")))
    assert not {"CALIBRATED-ON", "MISSES"} & set(plain)
