"""Random transforms for training that MONAI does not have: laterality, Hounsfield units, skull stripping.

They run on cached tensors on the network's grid, where index I grows to the patient's right-to-left order of RAS
(from left to right), so a flip of the first spatial axis mirrors the patient.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform


class RandFlipLeftRightd(RandomizableTransform, MapTransform):
    """Mirror the patient, and rename what has a side.

    A plain flip would teach the network that a left hemisphere can lie on the right.

    Args:
        keys: images and label maps to mirror, each ``(C, I, J, K)`` on a RAS grid.
        label_keys: those of `keys` whose values change sides.
        pairs: label values that trade places, for example ``[[1, 2], [3, 4]]``; empty where no label has a side.
        prob: how often.
    """

    def __init__(
        self,
        keys: KeysCollection,
        label_keys: Sequence[str] = (),
        pairs: Sequence[Sequence[int]] = (),
        prob: float = 0.5,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys=True)
        RandomizableTransform.__init__(self, prob)
        self.label_keys = tuple(label_keys)
        self.pairs = [(int(a), int(b)) for a, b in pairs]

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        found = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return found
        for key in self.key_iterator(found):
            flipped = torch.flip(found[key], dims=(1,))
            found[key] = self._swapped(flipped) if key in self.label_keys else flipped
        return found

    def _swapped(self, labels: torch.Tensor) -> torch.Tensor:
        swapped = labels.clone()
        for a, b in self.pairs:
            swapped[labels == a] = b
            swapped[labels == b] = a
        return swapped


class RandHounsfieldd(RandomizableTransform, MapTransform):
    """A scanner that is calibrated a little differently: gain and offset of the Hounsfield scale.

    Args:
        keys: images whose value `zero` stands for 0 HU.
        gain: largest relative deviation of the scale about 0 HU.
        offset_hu: largest shift.
        zero: the value that stands for 0 HU (1024 where air is stored as 0).
        prob: how often.
    """

    def __init__(
        self,
        keys: KeysCollection,
        gain: float = 0.03,
        offset_hu: float = 4.0,
        zero: float = 1024.0,
        prob: float = 0.7,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.gain, self.offset_hu, self.zero = gain, offset_hu, zero

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        found = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return found
        scale = 1.0 + self.gain * self.R.uniform(-1.0, 1.0)
        shift = self.offset_hu * self.R.uniform(-1.0, 1.0) + self.zero * (1.0 - scale)
        for key in self.key_iterator(found):
            found[key] = found[key] * scale + shift
        return found


class RandSkullStripd(RandomizableTransform, MapTransform):
    """Replace everything outside the intracranial cavity by air, so that one network serves heads with and without skull.

    Nothing happens where the mask is missing or empty (data sets without anatomy).

    Args:
        keys: images in which air is 0.
        mask_key: label map whose voxels above 0 are the cavity.
        largest_margin: the cavity is grown by 0 to this many voxels first, since no strip is exact.
        prob: how often.
    """

    def __init__(
        self, keys: KeysCollection, mask_key: str = "anatomy", largest_margin: int = 2, prob: float = 0.3
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.mask_key, self.largest_margin = mask_key, largest_margin

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, Any]:
        found: dict[Hashable, Any] = dict(data)
        self.randomize(None)
        margin = int(self.R.randint(0, self.largest_margin + 1))
        if not self._do_transform or self.mask_key not in found:
            return found
        cavity = (found[self.mask_key] > 0).float()
        if not cavity.any():
            return found
        if margin:
            cavity = torch.nn.functional.max_pool3d(cavity, 2 * margin + 1, stride=1, padding=margin)
        for key in self.key_iterator(found):
            found[key] = found[key] * cavity
        return found


class RandChannelDropoutd(RandomizableTransform, MapTransform):
    """Blank one input channel, so that no single window (bone, say) becomes indispensable.

    Args:
        keys: images ``(C, I, J, K)``.
        channel: which one.
        prob: how often.
    """

    def __init__(self, keys: KeysCollection, channel: int = 2, prob: float = 0.1) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.channel = channel

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        found = dict(data)
        self.randomize(None)
        if self._do_transform:
            for key in self.key_iterator(found):
                found[key] = found[key].clone()
                found[key][self.channel] = 0
        return found
