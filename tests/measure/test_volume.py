import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_ich.core.errors import GeometryError
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.measure.abc2 import measure_abc2
from monai_ich.measure.components import find_lesions
from monai_ich.measure.summary import measure_exam
from monai_ich.measure.volume import DEFAULT_OPERATING_POINTS_ML


def _labels(
    shape: tuple[int, int, int], boxes: dict[Subtype, tuple[slice, ...]], affine: np.ndarray
) -> LabelMap:
    voxels = np.zeros(shape, np.uint8)
    for subtype, box in boxes.items():
        voxels[box] = int(subtype)
    return LabelMap(voxels, Geometry(shape, affine), Subtype)


CUBE = (slice(5, 25),) * 3


def test_a_20_mm_cube_is_8_ml() -> None:
    exam = measure_exam(_labels((30, 30, 30), {Subtype.SDH: CUBE}, np.eye(4)))
    assert exam.total_volume_ml == 8.0
    assert {f.subtype.name: (f.present, f.volume.value) for f in exam.subtypes} == {
        "EDH": (False, 0.0),
        "IPH": (False, 0.0),
        "IVH": (False, 0.0),
        "SAH": (False, 0.0),
        "SDH": (True, 8.0),
    }


def test_an_empty_mask_is_a_result_not_an_error() -> None:
    exam = measure_exam(_labels((5, 5, 5), {}, np.eye(4)))
    assert not exam.hemorrhage_present and exam.total_volume_ml == 0.0 and exam.lesions == ()
    assert exam.midline_shift.measurement.reason == "no anatomy labels were given"


def test_a_mask_at_the_edge_counts_in_full_with_a_warning() -> None:
    exam = measure_exam(_labels((20, 20, 20), {Subtype.EDH: (slice(0, 20),) * 3}, np.eye(4)))
    assert exam.total_volume_ml == 8.0
    assert [w.code for w in exam.warnings] == ["MASK_AT_EDGE"]


@given(st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
def test_volume_does_not_change_under_reorientation(
    order: list[int], flips: tuple[bool, ...]
) -> None:
    affine = np.diag([0.5, 0.6, 5.0, 1.0])
    labels = _labels((12, 10, 8), {Subtype.IPH: (slice(2, 7), slice(1, 9), slice(3, 6))}, affine)
    voxels, turned = labels.voxels.transpose(order), affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip:
            voxels = np.flip(voxels, axis)
            turned[:3, 3] += turned[:3, axis] * (voxels.shape[axis] - 1)
            turned[:3, axis] *= -1
    other = LabelMap(np.ascontiguousarray(voxels), Geometry(voxels.shape, turned), Subtype)
    a, b = find_lesions(labels)[0], find_lesions(other)[0]
    assert a.volume_ml == pytest.approx(b.volume_ml) == pytest.approx(5 * 8 * 3 * 0.0015)
    assert a.centroid_ras_mm == pytest.approx(b.centroid_ras_mm)


def test_lesions_touching_at_a_corner_are_one_and_apart_are_two() -> None:
    boxes = {Subtype.IPH: (slice(1, 3),) * 3}
    labels = _labels((9, 9, 9), boxes, np.eye(4))
    labels.voxels[3, 3, 3] = Subtype.IPH
    labels.voxels[7, 7, 7] = Subtype.IPH
    lesions = find_lesions(labels)
    assert [round(x.volume_ml * 1000) for x in lesions] == [9, 1]
    assert lesions[0].slices == (1, 3) and [x.id for x in lesions] == [1, 2]


def test_pieces_below_the_floor_are_specks_whose_volume_counts() -> None:
    labels = _labels((20, 20, 20), {Subtype.SDH: (slice(1, 6),) * 3}, np.eye(4))  # 125 voxels
    labels.voxels[10:15, 10:15, 10:14] = Subtype.SDH  # 100 voxels of 0.001 mL: at the floor
    labels.voxels[18, 18, 18:20] = Subtype.IPH
    exam = measure_exam(labels)
    assert [(x.id, round(x.volume_ml, 3)) for x in exam.lesions] == [(1, 0.125), (2, 0.1)]
    assert (exam.specks.count, exam.specks.volume_ml) == (1, pytest.approx(0.002))
    assert exam.total_volume_ml == pytest.approx(0.227)
    assert len(measure_exam(labels, lesion_floor_ml=0.0).lesions) == 3


def test_side_compartment_and_density() -> None:
    labels = _labels(
        (20, 10, 10), {Subtype.SDH: (slice(1, 5), slice(2, 6), slice(2, 6))}, np.eye(4)
    )
    anatomy = np.zeros((20, 10, 10), np.uint8)
    anatomy[:10], anatomy[10:] = Anatomy.LEFT_HEMISPHERE, Anatomy.RIGHT_HEMISPHERE
    ct = CTVolume(np.where(labels.voxels > 0, 62, 30).astype(np.float32), labels.geometry)
    lesion = find_lesions(labels, ct=ct, anatomy=LabelMap(anatomy, labels.geometry, Anatomy))[0]
    assert (lesion.side, lesion.compartment) == ("left", "supratentorial")
    assert (lesion.mean_hu, lesion.sd_hu, lesion.max_hu) == (62.0, 0.0, 62.0)
    anatomy[:10] = Anatomy.POSTERIOR_FOSSA
    lesion = find_lesions(labels, anatomy=LabelMap(anatomy, labels.geometry, Anatomy))[0]
    assert lesion.compartment == "infratentorial"


def test_abc2_of_a_box_is_half_of_diagonal_times_width_times_height() -> None:
    mask = np.zeros((40, 40, 10), bool)
    mask[5:35, 20, 2:8] = True  # a line of 30 voxels of 1 mm, one wide, on 6 slices of 5 mm
    geometry = Geometry(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]))
    assert measure_abc2(mask, geometry, Subtype.IPH).ml == pytest.approx(30 * 1 * 30 / 2 / 1000)


def test_abc2_of_a_sphere_is_near_its_volume() -> None:
    grid = np.indices((60, 60, 60)) - 29.5
    mask = (grid**2).sum(0) < 20**2
    truth = 4 / 3 * np.pi * 20**3 / 1000
    # C counts the polar caps below 25 % of the largest area as 0, those below 75 % as half: about
    # 0.82 of the diameter
    assert measure_abc2(
        mask, Geometry(mask.shape, np.eye(4)), Subtype.IPH
    ).ml / truth == pytest.approx(0.7, abs=0.05)


def test_a_criterion_about_an_uncertain_subtype_stays_open_where_there_is_such_blood() -> None:
    cube = np.zeros((40, 40, 40), np.uint8)
    cube[2:36, 2:36, 2:36] = int(Subtype.EDH)  # 39 mL
    labels = LabelMap(cube, Geometry((40, 40, 40), np.eye(4)), Subtype)
    met = {c.id: c.met for c in measure_exam(labels, uncertain=("EDH", "SDH")).criteria}
    assert met["BTF-2006-EDH-VOLUME"] is None and met["BTF-2006-SDH-SHIFT"] is None
    assert met["ICH-SCORE-VOLUME"] is False
    exam = measure_exam(labels, uncertain=("SDH",))
    assert {c.id: c.met for c in exam.criteria}["BTF-2006-EDH-VOLUME"] is True, (
        "no blood is labeled SDH"
    )
    assert [f.certain for f in exam.subtypes] == [True, True, True, True, False]


def test_criteria_are_facts_with_numbers() -> None:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    exam = measure_exam(_labels((40, 40, 40), {Subtype.EDH: (slice(2, 35),) * 3}, affine))
    criteria = {c.id: (c.met, c.because) for c in exam.criteria}
    assert criteria["BTF-2006-EDH-VOLUME"] == (True, "EDH 35.9 mL, limit > 30 mL")
    assert criteria["BTF-2006-SDH-SHIFT"] == (False, "no SDH")
    assert criteria["ICH-SCORE-INFRATENTORIAL"] == (False, "no IPH")


def _infratentorial(
    iph: dict[str, tuple[slice, ...]], anatomy: np.ndarray | None
) -> tuple[bool | None, str]:
    labels = _labels(
        (30, 30, 30), {Subtype.SDH: (slice(0, 3), slice(0, 9), slice(20, 29))}, np.eye(4)
    )
    for box in iph.values():
        labels.voxels[box] = Subtype.IPH
    given = None if anatomy is None else LabelMap(anatomy, labels.geometry, Anatomy)
    return next(
        (c.met, c.because)
        for c in measure_exam(
            labels, anatomy=given, operating_points=DEFAULT_OPERATING_POINTS_ML
        ).criteria
        if c.id == "ICH-SCORE-INFRATENTORIAL"
    )


def test_infratentorial_is_decided_by_parenchymal_blood_that_counts_as_present() -> None:
    anatomy = np.full((30, 30, 30), Anatomy.LEFT_HEMISPHERE, np.uint8)
    anatomy[:, :, :10] = Anatomy.POSTERIOR_FOSSA
    low = (slice(10, 20), slice(10, 20), slice(2, 7))  # 0.5 mL
    high = (slice(10, 20), slice(10, 20), slice(15, 20))
    speck = (slice(25, 26), slice(25, 26), slice(5, 6))  # 0.001 mL
    assert _infratentorial({"low": low}, anatomy) == (True, "infratentorial IPH 0.5 mL")
    assert _infratentorial({"high": high}, anatomy) == (False, "no infratentorial IPH")
    trace = "infratentorial IPH 0.001 mL, below the operating point of 0.1 mL: too little to tell"
    assert _infratentorial({"speck": speck}, anatomy) == (None, trace)
    assert _infratentorial({"high": high, "speck": speck}, anatomy) == (None, trace)
    met, because = _infratentorial({"low": low}, None)
    assert met is None and because == "IPH 0.5 mL; no anatomy labels were given"
    anatomy[low] = 0
    assert _infratentorial({"low": low}, anatomy) == (
        None,
        "IPH 0.5 mL; 0.5 mL of it lie outside of the anatomy labels",
    )


def test_images_on_different_grids_are_refused() -> None:
    labels = _labels((5, 5, 5), {}, np.eye(4))
    for shape, spacing in (((5, 5, 5), [1, 1, 2.0, 1]), ((5, 6, 5), [1, 1, 1.0, 1])):
        grid = Geometry(shape, np.diag(spacing))
        ct = CTVolume(np.zeros(shape, np.float32), grid)
        anatomy = LabelMap(np.ones(shape, np.uint8), grid, Anatomy)
        edema = Mask(np.ones(shape, bool), grid)
        for images in ({"ct": ct, "anatomy": anatomy}, {"anatomy": anatomy}, {"edema": edema}):
            with pytest.raises(GeometryError, match="resample LABELS --like CT") as refused:
                measure_exam(labels, **images)
            assert refused.value.code == "GRID_MISMATCH"
