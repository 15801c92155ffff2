"""Augmentation that knows anatomy: what MONAI's own transforms cannot."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable

from monai_ich.parts.blurring import blur_volume
from monai_ich.parts.pictures import draw_pictures, through_pictures

_BONE_HU, _TISSUE_HU = 300.0, -200.0


class RandMirrorSidesd(Randomizable, MapTransform):
    """Mirror the head left to right, and let labels of one side become those of the other.

    Args:
        keys: images and labels, channel first ``(C, I, J, K)`` in RAS, so that I is left to right.
        label_keys: which of them are label maps whose sides must change.
        pairs: label values that belong together, left and right.
        prob: how often.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_keys: Sequence[Hashable] = (),
        pairs: Sequence[tuple[int, int]] = (),
        prob: float = 0.5,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.label_keys, self.pairs, self.prob = tuple(label_keys), tuple(pairs), prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob:
            return out
        for key in self.key_iterator(out):
            image = torch.flip(out[key], dims=[1])
            if key in self.label_keys:
                swapped = image.clone()
                for left, right in self.pairs:
                    swapped[image == left], swapped[image == right] = right, left
                image = swapped
            out[key] = image
        return out


class RandSkullStripd(Randomizable, MapTransform):
    """Replace what lies outside of the intracranial cavity by air: one network for heads with and
    without skull.

    Args:
        keys: images ``(C, I, J, K)`` in which air is 0.
        mask_key: label map whose values above 0 are the cavity; where it is empty, nothing happens.
        largest_margin: the cavity is grown by 0 to this many voxels first, since no strip is exact.
        prob: how often.
    """

    def __init__(
        self, keys: KeysCollection, mask_key: str, largest_margin: int = 2, prob: float = 0.3
    ) -> None:
        MapTransform.__init__(self, keys)
        self.mask_key, self.largest_margin, self.prob = mask_key, largest_margin, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob or not bool((out[self.mask_key] > 0).any()):
            return out
        margin = int(self.R.randint(0, self.largest_margin + 1))
        cavity = torch.as_tensor(out[self.mask_key] > 0).float()
        if margin:
            cavity = torch.nn.functional.max_pool3d(
                cavity, 2 * margin + 1, stride=1, padding=margin
            )
        for key in self.key_iterator(out):
            out[key] = out[key] * cavity
        return out


class RandDropChanneld(Randomizable, MapTransform):
    """Blank one input channel at random, so that a network does not lean on it alone.

    Args:
        keys: images ``(C, I, J, K)``.
        channel: which.
        value: what it becomes.
        prob: how often.
    """

    def __init__(
        self, keys: KeysCollection, channel: int, value: float = 0.0, prob: float = 0.1
    ) -> None:
        MapTransform.__init__(self, keys)
        self.channel, self.value, self.prob = channel, value, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() < self.prob:
            for key in self.key_iterator(out):
                image = out[key].clone()
                image[self.channel] = self.value
                out[key] = image
        return out


class RandCTNoised(Randomizable, MapTransform):
    """A scanner's noise in HU: white noise, smoothed by a random kernel, of random strength.

    Args:
        keys: images ``(1, I, J, K)`` in HU (any offset).
        max_hu: largest standard deviation.
        prob: how often.
    """

    def __init__(self, keys: KeysCollection, max_hu: float = 6.0, prob: float = 0.5) -> None:
        MapTransform.__init__(self, keys)
        self.max_hu, self.prob = max_hu, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob:
            return out
        strength = self.R.uniform(0.0, self.max_hu)
        for key in self.key_iterator(out):
            noise = self.R.standard_normal(size=tuple(out[key].shape)).astype(np.float32)
            out[key] = out[key] + strength * torch.from_numpy(noise)
        return out


class RandBeamHardeningd(Randomizable, MapTransform):
    """Brighten what lies near bone, as scanners do: else bright brain under the skull looks like a
    clot.

    Bone is blurred, and tissue gains that share of `largest_hu` or less: most under the vertex,
    with bone all around.

    Args:
        keys: images ``(1, I, J, K)`` in HU plus `offset`, slices along K.
        offset: what was added to HU.
        largest_hu: gain where all around is bone.
        reach: standard deviation of the blur in plane in voxels, from and to; a sixth of it across
            slices.
        prob: how often.
    """

    def __init__(
        self,
        keys: KeysCollection,
        offset: float = 0.0,
        largest_hu: float = 80.0,
        reach: tuple[float, float] = (3.0, 9.0),
        prob: float = 0.5,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.offset, self.largest_hu, self.reach, self.prob = offset, largest_hu, reach, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob:
            return out
        gain_hu, reach = self.R.uniform(0.0, self.largest_hu), self.R.uniform(*self.reach)
        for key in self.key_iterator(out):
            image = out[key]
            bone = (
                (torch.as_tensor(image) > self.offset + _BONE_HU).float().as_subclass(torch.Tensor)
            )
            near = blur_volume(bone, (reach, reach, reach / 6))
            out[key] = image + gain_hu * near * (image > self.offset + _TISSUE_HU)
        return out


class RandPointSpreadd(Randomizable, MapTransform):
    """Spread a share of each voxel over its neighbors, as the long tails of a scanner's point
    spread do.

    On a real head without blood, brain 2 to 3 mm below the inner table read 53 to 71 HU, 20 to 35
    HU above what lay deeper; heads blurred by a plain Gaussian are 10 HU above there, and a network
    that saw only such took the rim for a subdural hematoma.

    Args:
        keys: images ``(1, I, J, K)`` in HU plus any offset, slices along K.
        largest_share: of a voxel that is spread.
        reach: standard deviation of the spread in plane in voxels, from and to; a quarter of it
            across slices.
        prob: how often.
    """

    def __init__(
        self,
        keys: KeysCollection,
        largest_share: float = 0.16,
        reach: tuple[float, float] = (0.6, 2.0),
        prob: float = 0.5,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.largest_share, self.reach, self.prob = largest_share, reach, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob:
            return out
        share, reach = self.R.uniform(0.0, self.largest_share), self.R.uniform(*self.reach)
        for key in self.key_iterator(out):
            image = torch.as_tensor(out[key])
            spread = blur_volume(image.as_subclass(torch.Tensor), (reach, reach, reach / 4))
            out[key] = image + share * (spread - image)
        return out


class RandRepeatSliced(Randomizable, MapTransform):
    """One slice, repeated to a stack, as pictures of single slices are shown to a network that
    wants a head; above and below the stack is air.

    Real slices without blood are trained on as such stacks (`build_negatives`). Where no other
    window is one, a network may learn that what does not change from slice to slice has no blood.

    Args:
        keys: volumes ``(1, I, J, K)``, slices along K; 0 is air, and background.
        label_key: the one of `keys` that says what a slice shows.
        values: of it, for which slices are drawn: subtypes of blood or parts of the cavity.
        labeled_share: how often a slice with one of `values` is drawn where there is one.
        shortest: share of K that the stack takes up at least.
        prob: how often.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_key: str = "label",
        values: Sequence[int] = (1, 2, 3, 4, 5),
        labeled_share: float = 0.8,
        shortest: float = 0.4,
        prob: float = 0.2,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.label_key, self.values, self.labeled_share = label_key, tuple(values), labeled_share
        self.shortest, self.prob = shortest, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob:
            return out
        label = torch.as_tensor(out[self.label_key]).as_subclass(torch.Tensor)
        slices, count = self._candidates(label), label.shape[-1]
        drawn = int(slices[self.R.randint(len(slices))])
        length = self.R.randint(max(1, round(self.shortest * count)), count + 1)
        first = self.R.randint(count - length + 1)
        for key in self.key_iterator(out):
            volume = torch.as_tensor(out[key])
            stack = torch.zeros_like(volume)
            stack[..., first : first + length] = volume[..., drawn : drawn + 1]
            out[key] = stack
        return out

    def _candidates(self, label: torch.Tensor) -> torch.Tensor:
        """Slices to draw from, as indices."""
        listed = torch.isin(label, label.new_tensor(self.values))
        labeled = listed.flatten(0, -2).any(0).nonzero()[:, 0]
        if len(labeled) and self.R.random() < self.labeled_share:
            return labeled
        return torch.arange(label.shape[-1])


class RandPicturesd(Randomizable, MapTransform):
    """A scan as it comes back from pictures of a window that nobody noted: see
    `monai_ich.parts.pictures`.

    Args:
        keys: images ``(1, I, J, K)`` in HU plus `offset`, slices along K.
        offset: what was added to HU.
        prob: how often.
    """

    def __init__(self, keys: KeysCollection, offset: float = 0.0, prob: float = 0.3) -> None:
        MapTransform.__init__(self, keys)
        self.offset, self.prob = offset, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob:
            return out
        pictures = draw_pictures(np.random.default_rng(self.R.randint(2**31)))
        for key in self.key_iterator(out):
            image = torch.as_tensor(out[key]).as_subclass(torch.Tensor)
            out[key] = (
                through_pictures(image[0] - self.offset, pictures)[None] + self.offset
            ).clamp_min(0.0)
        return out


class RandWindowd(Randomizable, MapTransform):
    """Clip HU to a display window, as pictures exported from a viewer are: bone and air then sit at
    the ends.

    Args:
        keys: images ``(1, I, J, K)`` in HU plus `offset`.
        windows_hu: low and high ends, one pair is drawn.
        offset: what was added to HU.
        prob: how often.
    """

    def __init__(
        self,
        keys: KeysCollection,
        windows_hu: Sequence[tuple[float, float]] = (
            (0.0, 80.0),
            (-20.0, 100.0),
            (-5.0, 85.0),
            (-50.0, 150.0),
        ),
        offset: float = 0.0,
        prob: float = 0.15,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.windows_hu, self.offset, self.prob = tuple(windows_hu), offset, prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        if self.R.random() >= self.prob:
            return out
        low, high = self.windows_hu[self.R.randint(len(self.windows_hu))]
        for key in self.key_iterator(out):
            out[key] = torch.clamp(out[key], low + self.offset, high + self.offset)
        return out
