import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab import audit
from lab.audit_case import CLASSES, audit_scan, hu_histograms, thickness_mm
from lab.audit_summary import hu_percentiles, summarize
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.synth.case import HeadCase, ScannerCase
from monai_ich.synth.draw import draw_case, with_hemorrhages
from monai_ich.synth.generate import SyntheticScan, Truth, synthesize

SMALL = ScannerCase(pixels=96, pixel_mm=2.3, slice_mm=6.0, thickness_mm=6.0, tilt_deg=15.0)

pytestmark = pytest.mark.slow


def _tiny(**scanner: tuple[float, float]) -> SyntheticScan:
    """Voxels of 2 x 2 x 2.5 mm = 0.01 mL: 100 of EDH (60 HU; 10 of them 200 HU), 50 of SDH, brain
    elsewhere; the first two rows are bone."""
    geometry = Geometry((20, 10, 5), np.diag([2.0, 2.0, 2.5, 1.0]))
    hu, bone = np.full((20, 10, 5), 30, np.float32), np.zeros((20, 10, 5), np.float32)
    labels, anatomy = np.zeros((20, 10, 5), np.uint8), np.ones((20, 10, 5), np.uint8)
    hu[:2], bone[:2], anatomy[:2] = 1000, 1.0, 0
    labels[10:12], hu[10:12] = Subtype.EDH, 60
    hu[10, :2], labels[15] = 200, Subtype.SDH
    anatomy[19] = Anatomy.LEFT_VENTRICLE
    truth = Truth(
        volume_ml={"EDH": 1.25, "IPH": 0.0, "IVH": 0.0, "SAH": 0.0, "SDH": 0.5},
        midline_shift_mm=-6.0,
        midline_shift_max_mm=-6.5,
        cavity_ml=9.0,
        thickness_mm={"EDH": 4.2},
    )
    case = HeadCase(5, scanner=ScannerCase(**scanner))  # type: ignore[arg-type]
    ct, blood = CTVolume(hu, geometry), LabelMap(labels, geometry, Subtype)
    edema = Mask(np.zeros(labels.shape, bool), geometry)
    return SyntheticScan(case, ct, blood, edema, LabelMap(anatomy, geometry, Anatomy), truth, bone)


def _summary(*scans: SyntheticScan) -> dict:  # type: ignore[type-arg]
    measured = [audit_scan(scan) for scan in scans]
    return summarize([record for record, _ in measured], sum(counts for _, counts in measured))


def test_numbers_are_those_counted_by_hand() -> None:
    found = _summary(_tiny())
    assert found["passed"] and found["cases"] == 1 and found["no_blood_share"] == 0.0
    assert found["bone_overlap"]["EDH"] == {
        "voxels": 100,
        "bone_voxels": 0,
        "share": 0.0,
        "seeds": [],
    }
    assert found["records"][0]["label_ml"] == {
        "EDH": 1.0,
        "IPH": 0.0,
        "IVH": 0.0,
        "SAH": 0.0,
        "SDH": 0.5,
    }
    assert found["label_to_true_volume"]["EDH"]["median"] == 0.8  # 1.0 of 1.25 mL
    assert found["bright_share"]["EDH"] == 0.1 and found["brightest"]["EDH"] == [
        5
    ]  # 10 of 100 voxels
    assert found["hu"]["EDH"] == {"voxels": 100} | dict.fromkeys(
        ("p5", "p25", "p50", "p75", "p90"), 60
    ) | {
        "p95": 200,
        "p99": 200,
    }
    assert found["hu"]["bone"]["voxels"] == 100 and found["hu"]["bone"]["p50"] == 1000
    assert found["hu"]["ventricles"]["voxels"] == 50
    assert found["hu"]["brain"]["voxels"] == 1000 - 100 - 100 - 50 - 50
    assert found["hu"]["rim"]["voxels"] == 50  # within 3 mm: one row of 2 mm
    assert found["present_together"]["EDH"] == {"EDH": 1, "IPH": 0, "IVH": 0, "SAH": 0, "SDH": 1}
    assert found["abs_shift_mm"]["max"] == 6.0 and found["shift_over_5_mm_share"] == 1.0


def test_percentiles_are_of_all_voxels() -> None:
    counts = np.zeros(4096, np.int64)
    counts[1024 + 10], counts[1024 + 50], counts[1024 + 90] = 30, 60, 10
    found = hu_percentiles(counts)
    assert (found["p25"], found["p50"], found["p90"], found["p95"]) == (10, 50, 50, 90)


def test_scans_clipped_to_a_window_are_kept_out_of_the_hu_figures() -> None:
    found = _summary(_tiny(), _tiny(window_hu=(0.0, 80.0)))
    assert found["windowed_cases"] == 1 and found["hu"]["EDH"]["voxels"] == 100
    assert found["bone_overlap"]["EDH"]["voxels"] == 200 and found["bright_share"]["EDH"] == 0.1


def test_a_label_in_bone_is_counted_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = synthesize(replace(with_hemorrhages(draw_case(3), {Subtype.SDH: 30.0}), scanner=SMALL))
    good, counts = audit_scan(scan)
    assert good.bone_voxels == {"EDH": 0, "SDH": 0} and good.voxels["SDH"] > 100
    voxels = scan.labels.voxels.copy()
    bone = np.argwhere(scan.bone > 0.9)[:7]
    voxels[tuple(bone.T)] = Subtype.SDH
    bad = audit_scan(replace(scan, labels=LabelMap(voxels, scan.labels.geometry, Subtype)))
    assert (
        bad[0].bone_voxels == {"EDH": 0, "SDH": 7}
        and bad[0].outside_voxels == good.outside_voxels + 7
    )
    given = {0: (good, counts), 1: bad}
    monkeypatch.setattr(audit, "audit_case", given.get)  # the generator makes no such label
    assert audit.main(["-o", str(tmp_path / "good"), "--cases", "1", "--workers", "1"]) == 0
    assert audit.main(["-o", str(tmp_path / "bad"), "--cases", "2", "--workers", "1"]) == 1
    for folder, word in (("good", ">PASS:"), ("bad", ">FAIL:")):
        page = (tmp_path / folder / "audit.html").read_text(encoding="utf-8")
        assert (
            word in page and page.count("data:image/png;base64,") == page.count("<figcaption>") == 8
        )
        assert "http" not in page  # opens offline
    found = json.loads((tmp_path / "bad" / "audit.json").read_text())
    assert not found["passed"] and found["bone_overlap"]["SDH"]["bone_voxels"] == 7
    assert found["bone_overlap"]["SDH"]["seeds"] == [3]


def test_the_histograms_of_a_head_are_where_its_tissues_are() -> None:
    scan = synthesize(replace(with_hemorrhages(draw_case(3), {Subtype.IPH: 20.0}), scanner=SMALL))
    rows = {n: hu_percentiles(row) for n, row in zip(CLASSES, hu_histograms(scan), strict=True)}
    assert rows["IPH"]["voxels"] == (scan.labels.voxels == Subtype.IPH).sum()
    assert (
        0
        < rows["ventricles"]["p50"]
        < rows["brain"]["p50"]
        < rows["IPH"]["p50"]
        < rows["bone"]["p50"]
    )


@pytest.mark.parametrize(
    ("slice_mm", "tilt_deg"), [(1.0, 0.0), (2.5, 0.0), (5.0, 0.0), (5.0, 25.0)]
)
def test_thickness_does_not_depend_on_slices_or_tilt(slice_mm: float, tilt_deg: float) -> None:
    shear = np.tan(np.radians(tilt_deg)) * slice_mm
    affine = np.array([[1, 0, 0, 0], [0, 1, shear, 0], [0, 0, slice_mm, 0], [0, 0, 0, 1.0]])
    geometry = Geometry((30, 40, int(40 / slice_mm)), affine)
    mask = np.zeros(geometry.shape, bool)
    mask[10:18] = True  # a layer of 8 mm
    assert thickness_mm(mask, geometry) == pytest.approx(8.0, abs=0.6)
    assert thickness_mm(np.zeros_like(mask), geometry) == 0.0


def test_an_audit_of_heads_without_blood_is_possible(tmp_path: Path) -> None:
    scan = _tiny()
    bare = replace(
        scan,
        labels=LabelMap(np.zeros_like(scan.labels.voxels), scan.labels.geometry, Subtype),
        truth=replace(scan.truth, volume_ml={s.name: 0.0 for s in Subtype}, thickness_mm={}),
    )
    found = audit.write_audit(tmp_path, [audit_scan(bare)])
    assert (
        found["passed"] and found["no_blood_share"] == 1.0 and found["hu"]["EDH"] == {"voxels": 0}
    )
