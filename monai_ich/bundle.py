"""Load a MONAI bundle and run it on a volume: the one bridge between the toolkit's nouns and
tensors.

Preprocessing, network and inferer are read from the bundle's own ``inference.yaml``, so this path
and MONAI's own ``python -m monai.bundle run`` see the same tensors. Only the way back differs:
MONAI's ``Invertd`` would hold all class probabilities of the whole native grid at once (5 GB for a
thin series); here they are interpolated slice by slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from monai_ich.core.calibration import Calibration
from monai_ich.core.errors import BundleError
from monai_ich.core.geometry import Box, Geometry
from monai_ich.core.json_text import read_json
from monai_ich.core.provenance import sha256_of, sha256_of_all
from monai_ich.core.shipped import shipped
from monai_ich.core.volume import CTVolume, Mask
from monai_ich.io.calibration import read_calibration
from monai_ich.parts.convolutions import plain_convolutions

_WHOLE: Box = (slice(None), slice(None), slice(None))
Sums = tuple[tuple[float, ...], tuple[float, ...], tuple[tuple[float, ...], ...]]
SHAPE_NUMBERS = ("inference.yaml", "metadata.json", "operating_points.json")  # of the configs
BUNDLES = ("head_ct_anatomy", "ich_segmentation")  # what the pipeline runs


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle ready to run.

    Args:
        name: folder name.
        root: the bundle's folder.
        network: with weights, in eval mode, on `device`.
        preprocessing: MONAI transforms from HU to the network's input, without the reader.
        inferer: MONAI inferer.
        device: where it runs.
        weights_sha256: of the weights file.
        status: what the weights were trained and tested on, in one sentence.
        classes: channels of the network's scores, background among them.
        uncertain: names of classes whose test figures are below target.
        calibration: what its volumes are worth; None where it was never found out, or for other
            weights.
        configs_sha256: of what shapes numbers beside the weights: settings and calibration.
    """

    name: str
    root: Path
    network: torch.nn.Module
    preprocessing: Any
    inferer: Any
    device: torch.device
    weights_sha256: str
    status: str
    classes: int
    uncertain: tuple[str, ...] = ()
    calibration: Calibration | None = None
    configs_sha256: str = ""


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

    def sums_ml(self, classes: int, inside: Mask | None = None) -> Sums:
        """What the probabilities add up to, their doubt ``p (1 - p)``, and the former by slice, in
        mL.

        Args:
            classes: of the first so many after background.
            inside: where they are added up; None: everywhere.

        Returns:
            Each of each of these classes, then of all of them together; the last one by native
            slice, along `Geometry.slice_axis`, and empty without `inside`.
        """
        return _sums_ml(self.probabilities[: classes + 1], self.affine, inside)


def find_bundle(name_or_path: str | Path) -> Path:
    """Folder of a bundle: a path, or the name of one that came with the toolkit.

    Raises:
        BundleError: ``BUNDLE_NOT_FOUND``.
    """
    for folder in (Path(name_or_path), shipped("bundles") / str(name_or_path)):
        if (folder / "configs").is_dir():
            return folder.resolve()
    raise BundleError(
        "BUNDLE_NOT_FOUND",
        f"No MONAI bundle was found under {str(name_or_path)!r}: give its folder.",
    )


def load_bundle(
    name_or_path: str | Path, *, device: str | None = None, weights: str | Path | None = None
) -> Bundle:
    """Read a bundle's ``inference.yaml`` and weights.

    Args:
        name_or_path: as for `find_bundle`.
        device: ``"cpu"``, ``"cuda"``...; None takes CUDA where there is one.
        weights: another state dict than ``models/model.pt``.

    Raises:
        BundleError: ``NO_WEIGHTS`` where there are none, ``BUNDLE_BROKEN`` where they do not fit
            the network.
    """
    from monai.bundle import ConfigParser
    from monai.transforms import Compose

    root = find_bundle(name_or_path)
    path = Path(weights) if weights is not None else root / "models" / "model.pt"
    if not path.is_file():
        raise BundleError(
            "NO_WEIGHTS", f"The bundle {root.name} has no weights: train it, or pass weights."
        )
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "inference.yaml"))
    parser["bundle_root"] = str(root)
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        network = parser.get_parsed_content("network_def")
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # a file that holds something else, a list say, fails in many ways
        raise BundleError(
            "BUNDLE_BROKEN", f"The weights of {root.name} do not fit its network."
        ) from error
    count = len(parser["preprocessing#transforms"])
    steps = [
        parser.get_parsed_content(f"preprocessing#transforms#{n}") for n in range(1, count)
    ]  # without the reader
    metadata, classes = _metadata(root)
    weights_sha256 = sha256_of(path)
    return Bundle(
        root.name,
        root,
        plain_convolutions(network.eval()).to(target),
        Compose(steps),
        parser.get_parsed_content("inferer"),
        target,
        weights_sha256,
        str(metadata.get("status", metadata.get("intended_use", ""))),
        classes,
        tuple(metadata.get("uncertain_classes", ())),
        _calibration(root / "configs" / "operating_points.json", weights_sha256),
        sha256_of_all(root / "configs" / name for name in SHAPE_NUMBERS),
    )


def _metadata(root: Path) -> tuple[dict[str, Any], int]:
    """The bundle's metadata, and how many classes its network tells apart."""
    try:
        metadata = read_json(root / "configs" / "metadata.json")
        return dict(metadata), len(
            metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"The metadata.json of {root.name} is damaged or lacks its classes."
        raise BundleError("BUNDLE_BROKEN", why) from error


def _calibration(path: Path, weights_sha256: str) -> Calibration | None:
    if not path.is_file():
        return None
    found = read_calibration(path)
    return found if found.weights_sha256 == weights_sha256 else None


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


def _sums_ml(probabilities: torch.Tensor, affine: NDArray[np.float64], inside: Mask | None) -> Sums:
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0
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
    return (
        tuple((p.sum(1) * voxel_ml).tolist()),
        tuple(((p * (1.0 - p)).sum(1) * voxel_ml).tolist()),
        slices_ml,
    )


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
    if min(hu.strides) < 0:  # torch has none such
        hu = np.ascontiguousarray(hu)
    return MetaTensor(torch.from_numpy(hu), affine=torch.from_numpy(affine.copy()), meta=meta).to(
        device
    )


def _infer(bundle: Bundle, image: Any) -> torch.Tensor:
    """Class scores ``(C, I, J, K)`` of the network's input, a plain tensor.

    In single precision everywhere: features reach 3e6, beyond what float16 can hold, and masks must
    not depend on the device.
    """
    scores: torch.Tensor = bundle.inferer(
        inputs=image.as_subclass(torch.Tensor)[None], network=bundle.network
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


def labels_on(
    probabilities: torch.Tensor, affine: NDArray[np.float64], native: Geometry
) -> NDArray[np.uint8]:
    """The class of the highest probability, interpolated linearly onto another grid, one slice at a
    time.

    Args:
        probabilities: ``(C, I, J, K)``; what is compared need not add up to 1.
        affine: of their grid, voxel to RAS mm.
        native: where labels are wanted.

    Returns:
        Labels, uint8, of the shape of `native`.
    """
    matrix = np.linalg.inv(affine) @ native.affine  # native voxel to network voxel
    turned = np.abs(matrix[[0, 1, 2, 2], [1, 0, 0, 1]]) * np.array(native.shape)[[1, 0, 0, 1]]
    sample = _sample_parallel if turned.max() < 1e-3 else _sample_slice
    labels = torch.zeros(native.shape[::-1], dtype=torch.uint8, device=probabilities.device)
    for k in range(native.shape[2]):
        labels[k] = sample(probabilities, matrix, native.shape, k).T
    return labels.cpu().numpy().T


def _sample_slice(
    probabilities: torch.Tensor, matrix: NDArray[np.float64], shape: tuple[int, int, int], k: int
) -> torch.Tensor:
    """Slice `k` of a native grid that lies anyhow in the network's grid."""
    device = probabilities.device
    scale = 2.0 / np.maximum(np.array(probabilities.shape[1:]) - 1, 1)
    i = torch.arange(shape[0], device=device, dtype=torch.float32)[:, None]
    j = torch.arange(shape[1], device=device, dtype=torch.float32)[None, :]
    axes = []
    for a in (2, 1, 0):  # grid_sample wants the last axis first
        m = matrix[a]
        axes.append((m[0] * i + m[1] * j + (m[2] * k + m[3])) * scale[a] - 1.0)
    grid = torch.stack(axes, dim=-1)[None, None].float()
    plane = F.grid_sample(
        probabilities[None], grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return plane[0, :, 0].max(0).indices.to(torch.uint8)  # argmax takes ten times as long


def _sample_parallel(
    probabilities: torch.Tensor, matrix: NDArray[np.float64], shape: tuple[int, int, int], k: int
) -> torch.Tensor:
    """Slice `k` of a native grid whose planes are parallel to the network's: every head CT, tilted
    or not.

    Three times as fast as `_sample_slice`: one axis is interpolated after the other, and only where
    one class outweighs background at a neighboring network voxel: between voxels where background
    leads, it leads.
    """
    rows, columns, depth = (
        _between(
            matrix[a, a], matrix[a, 2] * k * (a < 2) + matrix[a, 3], n, size, probabilities.device
        )
        for a, n, size in zip(range(3), (*shape[:2], k + 1), probabilities.shape[1:], strict=True)
    )
    plane = torch.lerp(
        probabilities[..., depth[0][k]], probabilities[..., depth[1][k]], depth[2][k]
    )
    labels = torch.zeros(shape[:2], dtype=torch.uint8, device=probabilities.device)
    leads = plane[1:].amax(0) > plane[0]
    i, j = (_touched(leads.any(1 - axis), near) for axis, near in enumerate((rows, columns)))
    if i.stop > i.start and j.stop > j.start:
        inner = _lerp_axes(plane, tuple(r[i] for r in rows), tuple(c[j] for c in columns))
        labels[i, j] = inner.max(0).indices.to(torch.uint8)
    return labels


def _between(
    step: float, offset: float, count: int, size: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """For `count` positions on an axis of `size` voxels: the voxel below, the voxel above, the
    share of the latter.
    """
    at = (torch.arange(count, device=device, dtype=torch.float64) * step + offset).clamp(
        0, size - 1
    )
    low = at.floor().long().clamp(max=max(size - 2, 0))
    return low, (low + 1).clamp(max=size - 1), (at - low).float()


def _lerp_axes(
    plane: torch.Tensor, rows: Sequence[torch.Tensor], columns: Sequence[torch.Tensor]
) -> torch.Tensor:
    """``(C, X, Y)`` at rows and columns from `_between`."""
    plane = torch.lerp(
        plane[..., columns[0]], plane[..., columns[1]], columns[2]
    )  # while there are few rows
    return torch.lerp(plane[:, rows[0]], plane[:, rows[1]], rows[2][None, :, None])


def _touched(leads: torch.Tensor, near: Sequence[torch.Tensor]) -> slice:
    """The native positions that have a network voxel of `leads` beside them; empty where there is
    none.
    """
    found = torch.nonzero(leads[near[0]] | leads[near[1]]).flatten()
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
