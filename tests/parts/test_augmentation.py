"""Augmentation, and what of a label a voxel can be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from monai_ich.core.labels import EDEMA
from monai_ich.parts.augmentation import (
    RandBeamHardeningd,
    RandDropChanneld,
    RandMirrorSidesd,
    RandPicturesd,
    RandPointSpreadd,
    RandRepeatSliced,
    RandSkullStripd,
    RandWindowd,
)
from monai_ich.parts.pictures import Pictures, through_pictures
from monai_ich.parts.visible import VisibleBloodd


def always(transform: Any) -> Any:
    transform.prob = 1.1
    return transform


def test_mirroring_exchanges_the_labels_of_the_sides() -> None:
    labels = torch.tensor([1, 3, 5, 4, 2]).reshape(1, 5, 1, 1)
    image = torch.arange(5.0).reshape(1, 5, 1, 1)
    mirror = always(
        RandMirrorSidesd(["image", "label"], label_keys=["label"], pairs=[(1, 2), (3, 4)])
    )
    found = mirror({"image": image, "label": labels})
    assert found["image"].flatten().tolist() == [4, 3, 2, 1, 0]
    assert found["label"].flatten().tolist() == [1, 3, 5, 4, 2], (
        "a mirrored head has its left on the left again"
    )


def test_mirroring_twice_changes_nothing() -> None:
    labels = torch.randint(0, 6, (1, 6, 5, 4))
    mirror = always(RandMirrorSidesd("label", label_keys=["label"], pairs=[(1, 2), (3, 4)]))
    assert torch.equal(mirror(mirror({"label": labels}))["label"], labels)


def test_a_label_stays_only_where_a_voxel_can_be_blood() -> None:
    image = torch.tensor([1020.0, 1084.0, 1144.0, 1145.0, 2000.0]).reshape(1, 5, 1, 1)
    label = torch.tensor([0, 5, 5, 5, 1], dtype=torch.uint8).reshape(1, 5, 1, 1)
    found = VisibleBloodd("label", "image", offset=1024.0)({"image": image, "label": label})
    assert (
        found["label"].flatten().tolist() == [0, 5, 5, 0, 0] and found["label"].dtype == torch.uint8
    )
    assert label.flatten().tolist() == [0, 5, 5, 5, 1], "what was given is not changed"


def test_skull_strip_leaves_air_outside_of_the_grown_cavity() -> None:
    cavity = torch.zeros(1, 9, 9, 9, dtype=torch.uint8)
    cavity[0, 4, 4, 4] = 2
    strip = always(RandSkullStripd("image", mask_key="cavity", largest_margin=2)).set_random_state(
        seed=0
    )
    kept = {
        int((strip({"image": torch.ones(1, 9, 9, 9), "cavity": cavity})["image"]).sum())
        for _ in range(30)
    }
    assert kept == {1, 27, 125}


def test_skull_strip_spares_a_head_without_cavity_labels() -> None:
    data = {"image": torch.ones(1, 4, 4, 4), "cavity": torch.zeros(1, 4, 4, 4)}
    assert always(RandSkullStripd("image", mask_key="cavity"))(data)["image"].sum() == 64


def test_dropping_a_channel_spares_the_others_and_the_input() -> None:
    image = torch.ones(3, 2, 2, 2)
    found = always(RandDropChanneld("image", channel=2))({"image": image})["image"]
    assert found.sum(dim=(1, 2, 3)).tolist() == [8, 8, 0] and image.sum() == 24


def test_tissue_near_bone_becomes_brighter_and_air_stays() -> None:
    image = torch.full((1, 80, 40, 8), 1054.0)  # brain, HU + 1024
    image[:, :8], image[:, 70:] = 1924.0, 0.0  # skull; air
    image[..., 6:] = 1054.0  # slices without bone
    glow = always(RandBeamHardeningd("image", offset=1024.0, largest_hu=40.0)).set_random_state(0)(
        {"image": image}
    )
    gain = (glow["image"] - image)[0, :, 20]
    assert 1.0 < gain[10, 0] < 40.0 and gain[10, 0] > gain[16, 0] > gain[50, 0] == pytest.approx(
        0.0, abs=0.1
    )
    assert torch.equal(gain[70:, 0], torch.zeros(10)) and float(gain[:, 7].max()) < 0.5 * float(
        gain[:70, 0].max()
    )


def test_long_tails_brighten_the_rim_below_bone_and_keep_the_sum() -> None:
    image = torch.full((1, 60, 40, 8), 1054.0)  # brain, HU + 1024
    image[:, 20:26] = 2224.0  # skull
    tails = always(RandPointSpreadd("image", largest_share=0.3, reach=(1.5, 1.5))).set_random_state(
        0
    )
    gain = (tails({"image": image})["image"] - image)[0, :, 20, 4]
    assert gain[26] > gain[27] > gain[28] > 0 and gain[22] < 0, "what brain gains, bone loses"
    assert float(gain.sum()) == pytest.approx(0.0, abs=1.0) and float(gain[40:].abs().max()) < 0.1


def test_a_window_clips_bone_and_air_to_its_ends() -> None:
    hu = torch.tensor([-1000.0, -10.0, 40.0, 90.0, 1200.0]).reshape(1, 5, 1, 1) + 1024
    window = always(RandWindowd("image", windows_hu=[(0.0, 80.0)], offset=1024.0))
    assert (window({"image": hu})["image"].flatten() - 1024).tolist() == [0, 0, 40, 80, 80]


def test_pictures_keep_what_their_window_shows_and_soften_the_edge_of_the_skull() -> None:
    hu = torch.full((40, 40, 3), 40.0)
    hu[:17] = 1500.0
    exact = through_pictures(hu, Pictures((0.0, 80.0), (0.0, 80.0)))
    assert exact.unique().tolist() == pytest.approx([40.0, 80.0], abs=0.2)
    resized = through_pictures(hu, Pictures((0.0, 80.0), (0.0, 80.0), ratio=0.7, quality=60))
    assert ((resized > 48) & (resized < 72)).any(), "the gray of blood lies between bone and brain"
    guessed = through_pictures(hu, Pictures((0.0, 80.0), (-10.0, 100.0)))
    assert guessed.unique().tolist() == pytest.approx(
        [45.0, 100.0], abs=0.3
    )  # half of the range; its white


def test_pictures_of_air_stay_above_nothing() -> None:
    image = torch.full((1, 32, 32, 2), 24.0)  # -1000 HU
    found = always(RandPicturesd("image", offset=1024.0)).set_random_state(3)({"image": image})[
        "image"
    ]
    assert found.shape == image.shape and float(found.min()) >= 0.0 and float(found.max()) < 1200.0


def test_one_slice_becomes_a_stack_between_air() -> None:
    image = torch.arange(1.0, 13.0).expand(1, 4, 5, 12)
    label = torch.zeros(1, 4, 5, 12, dtype=torch.uint8)
    label[..., 2, 7] = 4
    repeat = RandRepeatSliced(["image", "label"], labeled_share=1.0, prob=1.0)
    lengths = set()
    for seed in range(20):
        repeat.set_random_state(seed)
        out = repeat({"image": image, "label": label})
        shown = (out["image"] > 0).flatten(0, -2).any(0)
        assert set(out["image"][..., shown].unique().tolist()) == {8.0}
        assert torch.equal(out["label"][..., shown], label[..., 7:8].expand(-1, -1, -1, sum(shown)))
        assert not out["label"][..., ~shown].any()
        assert (shown.int().diff() != 0).sum() <= 2
        lengths.add(int(shown.sum()))
    assert min(lengths) >= 5 and max(lengths) <= 12 and len(lengths) > 3
    assert image[0, 0, 0].tolist() == list(range(1, 13))


def test_edema_alone_is_no_blood_to_repeat() -> None:
    label = torch.zeros(1, 2, 2, 6, dtype=torch.uint8)
    label[..., 1] = EDEMA
    repeat = RandRepeatSliced(["label"], labeled_share=1.0, prob=1.0)
    drawn = []
    for seed in range(20):
        repeat.set_random_state(seed)
        drawn.append(bool(repeat({"label": label})["label"].any()))
    assert not all(drawn)
