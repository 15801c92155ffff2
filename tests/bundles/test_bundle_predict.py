"""`predict` against the bundle's own `inference.yaml`, and its way back to the native grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from tiny import tiny_head

from monai_ich.bundle import find_bundle, labels_on, load_bundle, network_input, predict
from monai_ich.bundle.native import _sample_slice
from monai_ich.bundle.predict import _sums
from monai_ich.core.errors import BundleError
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume, Mask

UPRIGHT, SAGITTAL = (-1, -1, 1), (1, -1, -1)


def blobs(shape: tuple[int, int, int], seed: int = 0) -> torch.Tensor:
    """Smooth class scores ``(6, ...)``."""
    rough = torch.randn(1, 6, 6, 6, 5, generator=torch.Generator().manual_seed(seed)) * 4
    return torch.nn.functional.interpolate(rough, size=shape, mode="trilinear")[0]


@pytest.mark.slow
@pytest.mark.parametrize("tilt_deg", [0.0, 18.0, -12.0])
@pytest.mark.parametrize("axes", [UPRIGHT, SAGITTAL])
def test_predict_agrees_with_inference_yaml(
    bundle: Path,
    tilt_deg: float,
    axes: tuple[int, int, int],
    random_weights: Path,
    tmp_path: Path,
) -> None:
    hu, _, _, affine = tiny_head(2, tilt_deg=tilt_deg, patient_axes=axes)
    path = tmp_path / "ct.nii.gz"
    nib.save(nib.Nifti1Image(hu, affine), path)
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.yaml"))
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(random_weights, weights_only=True))
    with torch.inference_mode():
        item = parser.get_parsed_content("preprocessing")({"image": str(path)})
        item["pred"] = parser.get_parsed_content("inferer")(item["image"][None], network)[0]
        for step in parser.get_parsed_content("postprocessing").transforms[
            :3
        ]:  # without the writer
            item = step(item)
    theirs = np.asarray(item["pred"])[0]
    ct = CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine))
    ours = predict(load_bundle(bundle, weights=random_weights, device="cpu"), ct)
    assert ours.labels.shape == theirs.shape and len(np.unique(theirs)) > 1
    inside = (
        slice(1, -1),
        slice(1, -1),
        slice(1, -1),
    )  # the outermost voxels have no neighbor to interpolate with
    assert (ours.labels[inside] == theirs[inside]).mean() > 0.995


@pytest.mark.slow
def test_the_network_sees_a_whole_image_at_once(random_weights: Path, bundle: Path) -> None:
    hu, _, _, affine = tiny_head(2)
    loaded = load_bundle(bundle, weights=random_weights, device="cpu")
    seen: list[tuple[int, ...]] = []
    loaded.network.register_forward_pre_hook(
        lambda _, inputs: seen.append(tuple(inputs[0].shape[2:]))
    )
    ct = CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine))
    classes = len(predict(loaded, ct).probabilities)
    seen.clear()
    found = predict(loaded, ct, mirrored=range(classes))
    image, _ = network_input(loaded, CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine)))
    assert seen == [tuple(image.shape[1:])] * 2 and not any(np.array(seen[0]) % (16, 16, 8))
    i, j, k = found.probabilities.shape[1:]
    assert (np.array([i, j, k]) <= seen[0]).all() and (i, j, k) != seen[0]
    with torch.inference_mode():
        scores = [loaded.network(image[None])[0], loaded.network(image.flip(1)[None])[0].flip(1)]
        expected = torch.softmax((scores[0] + scores[1])[:, :i, :j, :k] / 2, dim=0)
    torch.testing.assert_close(found.probabilities, expected)


def test_scores_that_are_not_numbers_are_refused(random_weights: Path, bundle: Path) -> None:
    state = torch.load(random_weights, weights_only=True)
    next(value for name, value in state.items() if name.endswith("running_var")).fill_(torch.nan)
    torch.save(state, random_weights)
    loaded = load_bundle(bundle, weights=random_weights, device="cpu")
    with pytest.raises(BundleError, match="not numbers") as caught:
        predict(
            loaded, CTVolume(np.zeros((32, 32, 16), np.float32), Geometry((32, 32, 16), np.eye(4)))
        )
    assert caught.value.code == "BUNDLE_BROKEN"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_gives_the_labels_of_the_cpu(bundle: Path) -> None:
    hu, _, _, affine = tiny_head(2)
    ct = CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine))
    one, other = (
        predict(load_bundle(bundle, device=device), ct).labels for device in ("cpu", "cuda")
    )
    assert (one == other).mean() > 0.999


@pytest.mark.parametrize("tilt_mm", [0.0, 1.6])
def test_interpolating_axis_by_axis_gives_what_grid_sample_gives(tilt_mm: float) -> None:
    network = np.diag([1.5, 1.5, 3.0, 1.0])
    network[:3, 3] = [-40, -50, -30]
    affine = np.diag([-0.9, -0.9, 5.0, 1.0])
    affine[:3, 3], affine[1, 2] = [42, 51, -32], tilt_mm  # beyond the network's grid on each side
    native, scores = Geometry((96, 110, 13), affine), blobs((54, 66, 20))
    labels = labels_on(torch.softmax(scores, 0), network, native)
    matrix = np.linalg.inv(network) @ affine
    for k in range(native.shape[2]):
        theirs = _sample_slice(torch.softmax(scores, 0), matrix, native.shape, k)
        assert (labels[:, :, k] == theirs.numpy()).mean() > 0.9999


def test_native_grid_may_be_turned_against_the_network() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    scores = torch.zeros(6, 20, 20, 8)
    scores[4, 8:13, 8:13] = 9.0
    centered = np.eye(4)
    centered[:3, 3] = [-10, -10, 0]
    labels = labels_on(torch.softmax(scores, 0), centered, Geometry((21, 21, 8), turn @ centered))
    where = np.argwhere(labels == 4)
    np.testing.assert_allclose(where.mean(axis=0)[:2], [10, 10], atol=0.6)


def test_a_box_gives_labels_inside_of_it_only(random_weights: Path, bundle: Path) -> None:
    hu, _, _, affine = tiny_head(2)
    ct = CTVolume(hu.astype(np.float32), Geometry(hu.shape, affine))
    box = (slice(20, 60), slice(30, 80), slice(4, 16))
    labels = predict(
        load_bundle(bundle, weights=random_weights, device="cpu"), ct, within=box
    ).labels
    outside = labels.copy()
    outside[box] = 0
    assert labels.shape == hu.shape and labels[box].any() and not outside.any()
    np.testing.assert_array_equal(ct.hu, hu)  # which the network's input may share


@pytest.mark.parametrize("cut", [False, True])
def test_probabilities_add_up_to_milliliters(cut: bool) -> None:
    network = np.diag([2.0, 2.0, 5.0, 1.0])  # 0.02 mL a voxel
    probabilities = torch.zeros(3, 4, 6, 2)
    probabilities[0] = 1.0
    probabilities[:, 1, 1, 1] = torch.tensor([0.4, 0.5, 0.1])
    probabilities[:, 3, 5, 0] = torch.tensor([0.0, 0.0, 1.0])
    native = Geometry((16, 24, 2), np.diag([0.5, 0.5, 5.0, 1.0]))
    mask = np.ones(native.shape, bool)
    mask[10:] = False
    expected_ml, doubt_ml, log_odds, slices_ml = _sums(
        probabilities, network, Mask(mask, native) if cut else None, surest=1
    )
    np.testing.assert_allclose(
        expected_ml, [0.01, 0.002, 0.012] if cut else [0.01, 0.022, 0.032], rtol=1e-6
    )
    np.testing.assert_allclose(doubt_ml, [0.005, 0.0018, 0.0048], rtol=1e-6)
    highest = [0.0, np.log(1 / 9), np.log(1.5)] if cut else [0.0, np.log(1e7 - 1), np.log(1e7 - 1)]
    np.testing.assert_allclose(log_odds, highest, rtol=1e-5, atol=1e-6)
    assert not slices_ml if not cut else np.allclose(slices_ml, [[0, 0.01], [0, 0.002], [0, 0.012]])


def test_thin_slices_share_what_lies_in_a_thick_voxel_of_the_network() -> None:
    network, native = (
        np.diag([2.0, 2.0, 3.0, 1.0]),
        Geometry((4, 4, 12), np.diag([2.0, 2.0, 1.0, 1.0])),
    )
    probabilities = torch.zeros(2, 4, 4, 4)
    probabilities[0] = 1.0
    probabilities[:, 1, 1, 2] = torch.tensor([0.0, 1.0])  # 0.012 mL at slice 6
    *_, (blood, either) = _sums(
        probabilities, network, Mask(np.ones(native.shape, bool), native), surest=1
    )
    np.testing.assert_allclose(
        blood, [0.004 if k in (5, 6, 7) else 0.0 for k in range(12)], atol=1e-9
    )
    assert blood == either


def test_what_is_missing_or_broken_has_a_code(
    tmp_path: Path, bundle: Path, random_weights: Path
) -> None:
    with pytest.raises(BundleError, match="BUNDLE_NOT_FOUND"):
        find_bundle("no_such_bundle")
    with pytest.raises(BundleError, match="NO_WEIGHTS"):
        load_bundle(bundle, weights=tmp_path / "none.pt")
    other = tmp_path / "other.pt"
    torch.save({"a": torch.zeros(1)}, other)
    with pytest.raises(BundleError, match="BUNDLE_BROKEN"):
        load_bundle(bundle, weights=other)
    assert find_bundle(bundle.name) == bundle
