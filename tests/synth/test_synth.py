from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from monai_ich.anatomy.midline import fit_midline
from monai_ich.cli.app import main
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.measure.midline_shift import measure_midline_shift
from monai_ich.measure.summary import measure_exam
from monai_ich.parts.pictures import Pictures
from monai_ich.synth.case import HemorrhageCase, ScannerCase, SkullDefect, Swelling
from monai_ich.synth.dataset import design_case
from monai_ich.synth.draw import draw_case, with_hemorrhages
from monai_ich.synth.generate import SyntheticScan, synthesize

SMALL = ScannerCase(pixels=112, pixel_mm=2.0, slice_mm=5.0, thickness_mm=5.0)


def _scan(
    wanted: dict[Subtype, float],
    *,
    seed: int = 3,
    shift_mm: float = 0.0,
    side: int = -1,
    scanner: ScannerCase = SMALL,
) -> SyntheticScan:
    case = with_hemorrhages(draw_case(seed), wanted, side=side)
    return synthesize(replace(case, scanner=scanner, shift_mm=shift_mm))


@pytest.mark.parametrize("seed", range(40))
def test_bleeds_asked_for_lie_where_they_were_drawn_with_their_volume(seed: int) -> None:
    """Not a clot of the falx moved to the skull, nor 40 mL in the pons."""
    wanted = {Subtype.IPH: 40.0, Subtype.IVH: 20.0, Subtype.SAH: 15.0, Subtype.SDH: 40.0}
    iph, _, sah, sdh = bleeds = with_hemorrhages(draw_case(seed), wanted).hemorrhages
    assert {b.subtype: b.volume_ml for b in bleeds} == wanted
    x, y, z = sdh.center_mm
    assert (x / 70) ** 2 + ((y + 18) / 88) ** 2 + ((z - 10) / 75) ** 2 == pytest.approx(1.0), (
        "vault"
    )
    assert not (iph.center_mm[2] < -20 and iph.center_mm[1] < -15), "no room below the tentorium"
    assert abs(sah.center_mm[0]) != 12.0, "a sulcus of the convexity"


@pytest.mark.parametrize("volume_ml", [0.0, -1.0, np.nan, np.inf])
def test_a_bleed_without_a_volume_is_refused(volume_ml: float) -> None:
    with pytest.raises(ValueError, match="more than 0 mL"):
        with_hemorrhages(draw_case(3), {Subtype.IPH: volume_ml})
    words = ["synth", "-o", "never", "--subtype", "IPH", "--volume-ml", str(volume_ml)]
    assert main(words) == 2


@pytest.mark.slow
def test_same_seed_same_head() -> None:
    case = replace(draw_case(11), scanner=SMALL)
    a, b = synthesize(case), synthesize(case)
    assert (
        np.array_equal(a.ct.hu, b.ct.hu)
        and np.array_equal(a.labels.voxels, b.labels.voxels)
        and a.truth == b.truth
    )
    assert not np.array_equal(a.ct.hu, synthesize(replace(case, seed=12)).ct.hu)


@pytest.mark.slow
@pytest.mark.parametrize("subtype", list(Subtype))
def test_each_subtype_has_its_volume_density_and_place(subtype: Subtype) -> None:
    fine = replace(
        SMALL, slice_mm=2.0, thickness_mm=2.0
    )  # of horns thinner than a slice more than half is brain
    scan = _scan({subtype: 15.0}, scanner=fine if subtype is Subtype.IVH else SMALL)
    on_skull = subtype in (
        Subtype.EDH,
        Subtype.SDH,
    )  # bone outshines the rim of these, as much as a third if thin
    assert scan.truth.volume_ml[subtype.name] == pytest.approx(15.0, rel=0.35 if on_skull else 0.25)
    assert (
        abs(scan.labels.volume_ml(subtype) - scan.truth.volume_ml[subtype.name])
        <= scan.ct.geometry.voxel_ml
    )
    assert {v for v in np.unique(scan.labels.voxels).tolist() if v} == {int(subtype)}
    blood = scan.labels.voxels == subtype
    assert 50 < np.median(scan.ct.hu[blood]) < 90
    assert np.percentile(scan.ct.hu[blood], 90) < 130  # no bone under the label
    parts = scan.anatomy.voxels[blood]
    assert (parts > 0).mean() > 0.97  # inside of the cavity
    if subtype is Subtype.IVH:
        assert (
            np.isin(
                parts, (Anatomy.LEFT_VENTRICLE, Anatomy.RIGHT_VENTRICLE, Anatomy.POSTERIOR_FOSSA)
            ).mean()
            > 0.9
        )
    if subtype in (Subtype.EDH, Subtype.SDH):
        assert (
            np.isin(
                parts, (Anatomy.LEFT_HEMISPHERE, Anatomy.LEFT_VENTRICLE, Anatomy.POSTERIOR_FOSSA)
            ).mean()
            > 0.97
        )


@pytest.mark.slow
@pytest.mark.parametrize("shift_mm", [-9.0, 0.0, 6.0])
def test_the_midline_is_shifted_by_what_the_truth_says(shift_mm: float) -> None:
    scan = _scan({Subtype.SDH: 40.0}, shift_mm=shift_mm, side=-1 if shift_mm > 0 else 1)
    assert scan.truth.midline_shift_max_mm == pytest.approx(shift_mm, abs=1.0)
    assert abs(scan.truth.midline_shift_mm) <= abs(scan.truth.midline_shift_max_mm) + 0.5
    found = measure_midline_shift(fit_midline(scan.anatomy))
    assert found.measurement.value == pytest.approx(abs(scan.truth.midline_shift_mm), abs=1.2)
    largest = found.largest.measurement.value
    assert largest == pytest.approx(abs(scan.truth.midline_shift_max_mm), abs=1.2)


@pytest.mark.slow
def test_a_head_looks_like_one() -> None:
    scan = _scan({})
    inside = scan.anatomy.voxels > 0
    assert 900 < scan.truth.cavity_ml < 1900
    assert 20 < np.median(scan.ct.hu[inside]) < 45
    assert (scan.ct.hu > 500).mean() > 0.01 and (scan.ct.hu < -900).mean() > 0.2
    left = scan.anatomy.volume_ml(Anatomy.LEFT_HEMISPHERE)
    assert scan.anatomy.volume_ml(Anatomy.RIGHT_HEMISPHERE) == pytest.approx(left, rel=0.15)
    across = [np.argwhere(scan.anatomy.voxels == part).mean(0) for part in (1, 2)]
    assert (
        scan.anatomy.geometry.to_world(across[0])[0] < scan.anatomy.geometry.to_world(across[1])[0]
    )


@pytest.mark.slow
def test_truth_does_not_depend_on_the_scanner() -> None:
    case = with_hemorrhages(draw_case(5), {Subtype.IPH: 20.0})
    thin = synthesize(replace(case, scanner=replace(SMALL, slice_mm=2.0, thickness_mm=2.0))).truth
    tilted = synthesize(replace(case, scanner=replace(SMALL, tilt_deg=20.0))).truth
    assert thin.volume_ml["IPH"] == pytest.approx(tilted.volume_ml["IPH"], rel=0.05)
    assert thin.midline_shift_mm == tilted.midline_shift_mm


@pytest.mark.slow
def test_a_designed_case_has_what_was_asked_for() -> None:
    case = design_case(
        1, hemorrhages={Subtype.SDH: 40.0}, shift_mm=8.0, pixels=512, tilt_deg=18, thickness_mm=5
    )
    assert case.hemorrhages[0].side == -1  # pushes to the right
    assert (case.scanner.tilt_deg, case.scanner.slice_mm, case.scanner.pixels) == (18, 5, 512)
    assert case.scanner.pixel_mm * 512 >= 230


@pytest.mark.slow
def test_thickness_of_a_crescent_is_what_its_mask_shows() -> None:
    scan = _scan({Subtype.SDH: 60.0})
    blood = scan.labels.voxels == Subtype.SDH
    runs = max(
        blood.sum(axis=axis).max() * SMALL.pixel_mm for axis in (0, 1)
    )  # at least as long as the clot is thick
    assert 4.0 < scan.truth.thickness_mm["SDH"] < min(30.0, runs + 4.0)


@pytest.mark.slow
def test_thickness_begins_where_the_petrous_bone_ends() -> None:
    bleed = HemorrhageCase(Subtype.EDH, 12.0, 68.0, 1, (60.0, -36.0, -25.0), 22.0)
    case = replace(
        draw_case(3), hemorrhages=(bleed,), scanner=replace(SMALL, slice_mm=2.0, thickness_mm=2.0)
    )
    scan = synthesize(replace(case, anatomy=replace(case.anatomy, defect=None)))
    found = measure_exam(scan.labels, ct=scan.ct, anatomy=scan.anatomy).max_thickness_mm[
        Subtype.EDH
    ]
    assert scan.truth.thickness_mm["EDH"] == pytest.approx(found, abs=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["falx", "tentorium"])
def test_a_subdural_clot_along_falx_or_tentorium_is_a_thin_leaf_on_its_side(place: str) -> None:
    center = (-2.0, 10.0, 45.0) if place == "falx" else (-20.0, -58.0, -10.0)
    bleed = HemorrhageCase(Subtype.SDH, 8.0, 68.0, -1, center, 35.0, place=place)
    case = replace(
        draw_case(3), hemorrhages=(bleed,), scanner=replace(SMALL, slice_mm=2.0, thickness_mm=2.0)
    )
    scan = synthesize(case)
    world = scan.labels.geometry.to_world(np.argwhere(scan.labels.voxels == Subtype.SDH))
    assert scan.truth.volume_ml["SDH"] == pytest.approx(8.0, rel=0.3)
    assert np.ptp(world[:, 0 if place == "falx" else 2]) < np.ptp(world[:, 1])
    assert scan.truth.thickness_mm == {}, "thickness is defined for clots on the skull"


@pytest.mark.slow
def test_surgery_takes_bone_away_and_lets_the_brain_out() -> None:
    whole = replace(draw_case(3), hemorrhages=(), scanner=SMALL)
    defect = SkullDefect("craniectomy", (70.0, 0.0, 40.0), 45.0, bulge_mm=10.0)
    opened = synthesize(
        replace(whole, anatomy=replace(whole.anatomy, defect=defect, swelling=None))
    )
    closed = synthesize(replace(whole, anatomy=replace(whole.anatomy, defect=None, swelling=None)))
    assert opened.bone.sum() < 0.95 * closed.bone.sum()
    assert opened.truth.cavity_ml > closed.truth.cavity_ml + 10


@pytest.mark.slow
def test_a_scalp_hematoma_is_dense_and_not_labeled() -> None:
    case = replace(draw_case(3), hemorrhages=(), scanner=SMALL)
    swelling = Swelling((70.0, -20.0, 30.0), 40.0, 12.0, 70.0)
    swollen = synthesize(
        replace(case, anatomy=replace(case.anatomy, defect=None, swelling=swelling))
    )
    flat = synthesize(replace(case, anatomy=replace(case.anatomy, defect=None, swelling=None)))
    outside = (swollen.anatomy.voxels == 0) & (swollen.bone < 0.01)
    height_mm = SMALL.bottom_mm + SMALL.slice_mm * np.arange(outside.shape[2])
    outside &= height_mm > -20.0  # muscle of the neck is as dense
    dense = [((scan.ct.hu > 55) & (scan.ct.hu < 90) & outside).sum() for scan in (swollen, flat)]
    assert dense[0] > 1.5 * dense[1] and not swollen.labels.voxels.any()


@pytest.mark.slow
def test_an_export_of_a_window_holds_nothing_beyond_it() -> None:
    case = replace(draw_case(3), scanner=replace(SMALL, window_hu=(0.0, 80.0)))
    hu = synthesize(case).ct.hu
    assert (hu.min(), hu.max()) == (0.0, 80.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_no_clot_lies_in_bone(seed: int) -> None:
    case = with_hemorrhages(draw_case(seed), {Subtype.EDH: 20.0, Subtype.SDH: 40.0})
    scan = synthesize(replace(case, scanner=SMALL))
    assert not (scan.labels.voxels.astype(bool) & (scan.bone > 0.5)).any()
    assert np.isfinite(scan.ct.hu).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.slow
def test_cuda_makes_the_same_head() -> None:
    case = replace(draw_case(11), scanner=SMALL)
    a, b = synthesize(case), synthesize(case, "cuda")
    assert np.abs(a.ct.hu - b.ct.hu).mean() < 1.0
    assert (a.labels.voxels != b.labels.voxels).mean() < 1e-3


@pytest.mark.slow
def test_edema_lies_around_the_clot_darker_than_brain_and_is_no_blood() -> None:
    bleed = HemorrhageCase(Subtype.IPH, 20.0, 68.0, 1, (30.0, 10.0, 25.0), 12.0, edema_hu=12.0)
    case = replace(draw_case(3), hemorrhages=(bleed,), scanner=replace(SMALL, noise_hu=1.0))
    scan = synthesize(replace(case, anatomy=replace(case.anatomy, infarct_mm=None)))
    dry = synthesize(replace(case, hemorrhages=(replace(bleed, extent_mm=0.0),)))
    assert not (scan.edema.voxels & (scan.labels.voxels > 0)).any() and not dry.edema.voxels.any()
    assert (
        scan.truth.edema_ml == pytest.approx(scan.edema.volume_ml, rel=0.25)
        and scan.truth.edema_ml > 5.0
    )
    assert dry.truth.edema_ml == 0.0 and dry.truth.total_ml == pytest.approx(
        scan.truth.total_ml, rel=0.02
    )
    inside = (scan.anatomy.voxels > 0) & (scan.labels.voxels == 0)
    assert (
        np.median(scan.ct.hu[scan.edema.voxels])
        < np.median(scan.ct.hu[inside & ~scan.edema.voxels]) - 4.0
    )


@pytest.mark.slow
def test_blood_of_the_cisterns_is_a_star_on_both_sides() -> None:
    bleed = HemorrhageCase(Subtype.SAH, 25.0, 65.0, 1, (0.0, -4.0, -18.0), 30.0, place="cisterns")
    case = replace(
        draw_case(3), hemorrhages=(bleed,), shift_mm=0.0, scanner=replace(SMALL, slice_mm=2.5)
    )
    scan = synthesize(case)
    assert scan.truth.volume_ml["SAH"] == pytest.approx(25.0, rel=0.35)
    world = scan.labels.geometry.to_world(np.argwhere(scan.labels.voxels == Subtype.SAH))
    right = (world[:, 0] > 0).mean()
    assert 0.25 < right < 0.75 and np.ptp(world[:, 0]) > 60.0, "both Sylvian fissures"
    middle = np.abs(world[:, 0]) < 6.0
    assert np.ptp(world[middle, 1]) > 40.0, "before the midbrain and between the frontal lobes"


def test_what_is_drawn_holds_what_real_scans_show() -> None:
    cases = [draw_case(seed) for seed in range(600)]
    bled = [case for case in cases if case.hemorrhages]
    kinds = [{b.subtype for b in case.hemorrhages} for case in bled]
    assert 0.25 < 1 - len(bled) / len(cases) < 0.35
    assert np.mean([len(kind) > 2 for kind in kinds]) > 0.12, "trauma: several kinds at once"
    assert 0.15 < np.mean([case.scanner.pictures is not None for case in cases]) < 0.25
    sdh = [
        b
        for case in bled
        for b in case.hemorrhages
        if b.subtype is Subtype.SDH and b.place == "convexity"
    ]
    assert np.mean([b.volume_ml / b.extent_mm**2 < 0.0095 for b in sdh]) > 0.25, "thinner than 5 mm"
    sides = [{b.side for b in case.hemorrhages if b.subtype is Subtype.SDH} for case in bled]
    assert np.mean([len(side) == 2 for side in sides if side]) > 0.15, "on both sides"
    assert any(b.place == "cisterns" for case in bled for b in case.hemorrhages)


@pytest.mark.slow
def test_a_head_from_pictures_is_the_head_in_a_window() -> None:
    case = replace(draw_case(3), scanner=SMALL)
    plain = synthesize(case)
    pictures = Pictures((0.0, 80.0), (10.0, 110.0), ratio=0.8, quality=80)
    seen = synthesize(replace(case, scanner=replace(SMALL, pictures=pictures)))
    assert np.array_equal(seen.labels.voxels, plain.labels.voxels) and seen.truth == plain.truth
    assert seen.ct.hu.min() >= 10 and seen.ct.hu.max() <= 110
    inside = plain.anatomy.voxels > 0
    assert np.corrcoef(seen.ct.hu[inside], plain.ct.hu[inside].clip(0, 80))[0, 1] > 0.8


@pytest.mark.slow
def test_thickness_is_left_out_where_it_is_not_asked_for() -> None:
    case = replace(
        with_hemorrhages(draw_case(3), {Subtype.SDH: 40.0}), scanner=replace(SMALL, slice_mm=10.0)
    )
    assert synthesize(case, thickness=False).truth == replace(
        synthesize(case).truth, thickness_mm={}
    )


def test_one_scan_in_ten_reaches_down_the_neck() -> None:
    lowest = np.array([draw_case(seed).scanner.bottom_mm for seed in range(300)])
    assert 0.05 < (lowest < -76.0).mean() < 0.16


@pytest.mark.slow
def test_a_neck_has_vertebrae_around_a_canal_and_no_cavity() -> None:
    scan = synthesize(replace(draw_case(3), scanner=replace(SMALL, bottom_mm=-150.0)))
    neck = SMALL.slice_mm * np.arange(scan.bone.shape[2]) - 150.0 < -75.0
    assert not scan.anatomy.voxels[..., neck].any()
    rings = scan.bone[..., neck] > 0.3
    canals = [ndimage.binary_fill_holes(ring) & ~ring for ring in np.moveaxis(rings, 2, 0)]
    assert np.mean([canal.any() for canal in canals]) > 0.5, "discs lie between the others"
    hu = scan.ct.hu[..., neck][np.stack(canals, axis=-1)]
    assert -20 < np.median(hu) < 60, "cord and fluid"
