"""Run a bundle on a volume: what the network sees, its scores, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from monai_ich.bundle.load import Bundle
from monai_ich.bundle.native import labels_on
from monai_ich.core.calibration import SUREST_ML
from monai_ich.core.errors import BundleError
from monai_ich.core.geometry import Box, Geometry
from monai_ich.core.volume import CTVolume, Mask

_WHOLE: Box = (slice(None), slice(None), slice(None))
_LEAST_P = 1e-7  # of a probability and of what it lacks to 1, where log odds are taken


class Sums(NamedTuple):
    """What probabilities add up to, of each class and then of all of them together.

    Args:
        expected_ml: sum of p.
        doubt_ml: sum of ``p (1 - p)``.
        log_odds: which the surest `SUREST_ML` exceed.
        slices_ml: sum of p by native slice, along `Geometry.slice_axis`; empty without a mask.
    """

    expected_ml: tuple[float, ...]
    doubt_ml: tuple[float, ...]
    log_odds: tuple[float, ...]
    slices_ml: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Class labels on the native grid, and the probabilities that they come from.

    Args:
        labels: uint8 ``(I, J, K)``, arg-max of the linearly interpolated class probabilities.
        probabilities: ``(C, I, J, K)`` on the network's grid, on the network's device.
        affine: network voxel to RAS mm.
    """

    labels: NDArray[np.uint8]
    probabilities: torch.Tensor
    affine: NDArray[np.float64]

    @property
    def voxel_ml(self) -> float:
        """Volume of a network voxel."""
        return _voxel_ml(self.affine)

    def sums(self, classes: int, inside: Mask | None = None) -> Sums:
        """What the probabilities add up to, in mL.

        Args:
            classes: of the first so many after background.
            inside: where they are added up; None: everywhere.
        """
        shown = self.probabilities[: classes + 1]
        return _sums(shown, self.affine, inside, max(1, round(SUREST_ML / self.voxel_ml)))

    def sure_voxels(
        self, classes: Iterable[int], log_odds: float, native: Geometry
    ) -> NDArray[np.int64]:
        """Where classes together have at least these log odds: of each such network voxel the
        native one nearest to it, ``(N, 3)``, inside the grid.
        """
        p = self.probabilities[list(classes)].sum(0)
        at = torch.nonzero(torch.logit(p, eps=_LEAST_P) >= log_odds).cpu().numpy()
        matrix = np.linalg.inv(native.affine) @ self.affine
        ijk = np.rint(at @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.int64)
        return ijk[((ijk >= 0) & (ijk < native.shape)).all(axis=1)]


def predict(
    bundle: Bundle,
    ct: CTVolume,
    *,
    within: Box | None = None,
    inside: Mask | None = None,
    mirrored: Sequence[int] | None = None,
    bias: Mapping[int, float] = MappingProxyType({}),
) -> Prediction:
    """Run a bundle on a volume.

    Args:
        bundle: from `load_bundle`.
        ct: the scan; any grid, sheared too.
        within: voxel box to look at; outside of it everything is background.
        inside: what the network is shown, air elsewhere, on the grid of `ct`: the cavity, for a
            stripped head.
        mirrored: average with the prediction of the mirrored head (twice the network's time); the
            channel that each channel becomes in a mirror, for example ``(0, 2, 1)`` where 1 is left
            and 2 is right; None: once.
        bias: class to what is added to its score (logit); above 0 for background, all else must be
            more certain.
    """
    box = within or _WHOLE
    inner = ct.geometry.crop(box)
    with torch.inference_mode():
        image = _preprocess(bundle, ct, box, inside)
        logits = _infer(bundle, image)
        if mirrored is not None:
            logits = (
                logits + _infer(bundle, torch.flip(image, dims=[1])).flip(1)[list(mirrored)]
            ) / 2
        i, j, k = _before_padding(image)
        logits = logits[:, :i, :j, :k]
        for channel, more in bias.items():
            logits[channel] += more
        probabilities = torch.softmax(logits, dim=0)
        affine = np.asarray(image.affine, np.float64)
        labels = np.zeros(
            ct.geometry.shape, np.uint8, order="F"
        )  # slices lie together, as in the CT
        labels[box] = labels_on(probabilities, affine, inner)
        return Prediction(labels, probabilities, affine)


def score_scan(bundle: Bundle, ct: CTVolume, within: Box | None = None) -> torch.Tensor:
    """The network's scores of a scan, or of a voxel box of it, ``(classes, ...)`` on whatever grid
    it gives them, on the CPU.

    Raises:
        BundleError: ``BUNDLE_BROKEN`` where they are no numbers.
    """
    with torch.inference_mode():
        return _infer(bundle, _preprocess(bundle, ct, within or _WHOLE, None)).cpu()


def network_input(
    bundle: Bundle, ct: CTVolume, within: Box | None = None, inside: Mask | None = None
) -> tuple[torch.Tensor, Geometry]:
    """What the network sees: ``(channels, I, J, K)`` on the bundle's device, a plain tensor, and
    its grid.

    Args:
        bundle, ct, within, inside: as for `predict`.
    """
    image = _preprocess(bundle, ct, within or _WHOLE, inside)
    i, j, k = image.shape[1:]
    return image.as_subclass(torch.Tensor), Geometry(
        (i, j, k), np.asarray(image.affine, np.float64)
    )


def _preprocess(bundle: Bundle, ct: CTVolume, box: Box, inside: Mask | None) -> Any:
    image = _as_tensor(ct.hu[box], ct.geometry.crop(box).affine, bundle.device)
    image = bundle.preprocessing({"image": image})["image"]
    if inside is not None:
        seen, _ = _voxels_of(inside, image.shape[1:], np.asarray(image.affine, np.float64))
        image *= torch.from_numpy(seen).to(
            image.device
        )  # 0 is air in each channel, as in `RandSkullStripd`
    return image


def _voxels_of(
    mask: Mask, shape: Sequence[int], affine: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which voxels of another grid lie in a mask (its nearest voxel counts), and in which of the
    mask's slices.
    """
    matrix = np.linalg.inv(mask.geometry.affine) @ affine  # voxel to the mask's voxel
    at = np.rint(
        np.tensordot(matrix[:3, :3], np.indices(shape), 1) + matrix[:3, 3, None, None, None]
    ).astype(np.int64)
    size = np.array(mask.geometry.shape)[:, None, None, None]
    inside = np.asarray((at >= 0).all(axis=0) & (at < size).all(axis=0))
    inside[inside] = mask.voxels[tuple(at[:, inside])]
    return inside, at[mask.geometry.slice_axis]


def _sums(
    probabilities: torch.Tensor, affine: NDArray[np.float64], inside: Mask | None, surest: int
) -> Sums:
    voxel_ml = _voxel_ml(affine)
    if inside is None:
        p = _foreground(probabilities.flatten(1))
        slices_ml: tuple[tuple[float, ...], ...] = ()
    else:
        native, axis = inside.geometry, inside.geometry.slice_axis
        hit, at = _voxels_of(inside, probabilities.shape[1:], affine)
        p = _foreground(probabilities[:, torch.from_numpy(hit).to(probabilities.device)])
        slices = torch.from_numpy(at[hit]).to(p.device)
        sums = (
            p.new_zeros(len(p), native.shape[axis]).index_add_(1, slices, p).cpu().numpy()
            * voxel_ml
        )
        steps = (np.linalg.inv(native.affine) @ affine)[axis, :3]
        height = max(1, round(float(np.abs(steps).max())))  # of a network voxel, in native slices
        slices_ml = tuple(map(tuple, uniform_filter1d(sums, height, mode="constant").tolist()))
    return Sums(
        tuple((p.sum(1) * voxel_ml).tolist()),
        tuple(((p * (1.0 - p)).sum(1) * voxel_ml).tolist()),
        _log_odds(p, surest),
        slices_ml,
    )


def _voxel_ml(affine: NDArray[np.float64]) -> float:
    return abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0


def _log_odds(p: torch.Tensor, surest: int) -> tuple[float, ...]:
    """Of each row of ``(C, N)`` those of its `surest`-th highest, or of 0 where it has fewer."""
    lowest = p.topk(surest, dim=1).values[:, -1] if p.shape[1] >= surest else p.new_zeros(len(p))
    return tuple(torch.logit(lowest, eps=_LEAST_P).tolist())


def _foreground(probabilities: torch.Tensor) -> torch.Tensor:
    """Of ``(C, N)`` the classes from 1 up, then all of them together, in double precision."""
    classes = probabilities[1:].double()
    return torch.cat([classes, classes.sum(0, keepdim=True)])


def _as_tensor(hu: NDArray[np.float32], affine: NDArray[np.float64], device: torch.device) -> Any:
    from monai.data import MetaTensor

    meta = {
        "original_channel_dim": "no_channel",
        "spatial_shape": np.asarray(hu.shape),
        "space": "RAS",
    }
    if device.type == "cpu" or min(hu.strides) < 0:  # torch has no steps back
        hu = _in_rows(hu)
    return MetaTensor(torch.from_numpy(hu), affine=torch.from_numpy(affine.copy()), meta=meta).to(
        device
    )


def _in_rows(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """In the order of memory that PyTorch resamples from, in a third of the time that it takes to
    turn a whole scan into it.
    """
    if hu.flags.c_contiguous:
        return hu
    rows = np.empty(hu.shape, hu.dtype)
    for j in range(hu.shape[1]):
        rows[:, j] = hu[:, j]
    return rows


def _infer(bundle: Bundle, image: Any) -> torch.Tensor:
    """Class scores ``(C, I, J, K)`` of the network's input, a plain tensor.

    In single precision everywhere: features reach 3e6, beyond what float16 can hold, and masks must
    not depend on the device.
    """
    scores: torch.Tensor = bundle.inferer(
        inputs=image.as_subclass(torch.Tensor)[None], network=bundle.scores
    )
    if not bool(torch.isfinite(scores).all()):  # arg-max would call it background
        why = (
            f"The network of {bundle.name} gave scores that are not numbers: its weights are "
            "damaged."
        )
        raise BundleError("BUNDLE_BROKEN", why)
    return scores[0].as_subclass(torch.Tensor)


def _before_padding(image: Any) -> tuple[int, ...]:
    """Spatial shape of the network's input before `DivisiblePadd`, the last transform, added to its
    ends.
    """
    last = image.applied_operations[-1] if image.applied_operations else {}
    return tuple(last["orig_size"] if last.get("class") == "DivisiblePad" else image.shape[1:])
