import numpy as np
import pytest

from monai_ich.core.atlas import AtlasPose
from monai_ich.core.labels import Subtype
from monai_ich.core.lesion import Lesion
from monai_ich.core.measurement import Category, NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.measure.location import locate

MNI = AtlasPose(np.eye(4))


def _iph(at: tuple[float, float, float], compartment: str) -> Lesion:
    return Lesion(1, Subtype.IPH, 5.0, 5.0, at, "left", compartment, (0, 1), None, None, None)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(
    ("at", "compartment", "name"),
    [
        ((27, -2, 2), "supratentorial", "basal_ganglia"),  # putamen
        ((13, 14, 5), "supratentorial", "basal_ganglia"),  # head of the caudate
        ((11, -19, 8), "supratentorial", "thalamus"),
        ((13, -10, 5), "supratentorial", "deep"),  # the internal capsule's genu
        ((32, 38, 5), "supratentorial", "lobar"),
        ((48, -30, 0), "supratentorial", "lobar"),
        ((35, -45, 38), "supratentorial", "lobar"),
        ((3, -27, -32), "infratentorial", "brainstem"),  # pons
        ((5, -25, -10), "supratentorial", "brainstem"),  # midbrain, in the notch
        ((20, -60, -36), "infratentorial", "cerebellum"),
        ((0, -62, -30), "infratentorial", "cerebellum"),  # vermis
    ],
)
def test_places_have_their_names_on_both_sides(
    at: tuple[int, int, int], compartment: str, name: str, side: int
) -> None:
    assert locate(_iph((side * at[0], at[1], at[2]), compartment), MNI) == Category(name)


def test_the_place_is_that_in_the_atlas_not_in_the_scan() -> None:
    moved = np.eye(4)
    moved[:3, 3] = [0.0, 100.0, -50.0]
    assert locate(_iph((27, -102, 52), "supratentorial"), AtlasPose(moved)).value == "basal_ganglia"


def test_without_anatomy_there_is_a_reason() -> None:
    found = locate(_iph((27, 0, 0), "supratentorial"), NotMeasurable("no anatomy labels"))
    assert found == Category(None, "no anatomy labels")
    assert locate(_iph((27, 0, 0), "unknown"), MNI).reason is not None


def test_brain_beside_a_displaced_midline_is_named_by_where_it_was() -> None:
    """A clot 18.6 mm left of the plane, the midline 8 mm to the right: it lay 26 mm left."""
    line = np.array([[8.0, y, z] for y in (-20.0, 0.0, 20.0) for z in (0.0, 10.0)])
    midline = Midline(np.zeros(3), np.array([1.0, 0.0, 0.0]), line, np.zeros(len(line), int))
    clot = _iph((-18.6, -23.8, 9.2), "supratentorial")
    assert locate(clot, MNI).value == "thalamus"
    assert locate(clot, MNI, midline).value == "lobar"
    opposite = _iph((18.6, -23.8, 9.2), "supratentorial")
    assert locate(opposite, MNI, midline).value == "thalamus"
    below = _iph((-14.0, -30.0, -32.0), "infratentorial")
    assert locate(below, MNI, midline).value == "brainstem", (
        "the tentorium holds the fossa in place"
    )
