"""A MONAI bundle, read and ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from monai_ich.bundle.runtime import Runtime, Scores, require_device, require_runtime, scores_of
from monai_ich.core.calibration import Calibration
from monai_ich.core.errors import BundleError
from monai_ich.core.json_text import read_json
from monai_ich.core.memory import keep_memory
from monai_ich.core.provenance import sha256_of, sha256_of_all
from monai_ich.core.second_reading import Thresholds
from monai_ich.core.shipped import shipped
from monai_ich.io.calibration import read_calibration
from monai_ich.io.thresholds import THRESHOLDS_FILE, read_thresholds
from monai_ich.parts.convolutions import plain_convolutions

SHAPE_NUMBERS = ("inference.yaml", "metadata.json", "operating_points.json", THRESHOLDS_FILE)
BUNDLES = ("head_ct_anatomy", "ich_segmentation")  # what the pipeline runs
CLASSIFIER = "ich_classification"  # what gives it a second reading, where it has weights


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
        thresholds: of a classifier's probabilities, by finding; empty where they were not found
            out.
        configs_sha256: of what shapes numbers beside the weights: settings and calibration.
        runtime: what computes the scores of a scan.
        compiled: the network as `runtime` computes it; None for PyTorch.
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
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    configs_sha256: str = ""
    runtime: Runtime = Runtime.TORCH
    compiled: Scores | None = field(default=None, repr=False)

    @property
    def scores(self) -> Scores:
        """``(1, channels, I, J, K)`` to class scores ``(1, classes, I, J, K)``."""
        return self.compiled or self.network


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


def pipeline_bundles(folder: str | Path | None = None) -> tuple[Path, ...]:
    """Folders of the bundles that the pipeline runs: `BUNDLES`, and `CLASSIFIER` where it has
    weights.

    Args:
        folder: that holds them; None for those that came with the toolkit.

    Raises:
        BundleError: ``BUNDLE_NOT_FOUND``.
    """

    def root(name: str) -> Path:
        return find_bundle(name if folder is None else Path(folder, name))

    found = [root(name) for name in BUNDLES]
    classifier = found[0].parent / CLASSIFIER
    return (*found, *([classifier] if (classifier / "models" / "model.pt").is_file() else []))


def load_bundle(
    name_or_path: str | Path,
    *,
    device: str | None = None,
    weights: str | Path | None = None,
    runtime: str = "torch",
) -> Bundle:
    """Read a bundle's ``inference.yaml`` and weights; the process keeps its memory from now on
    (`keep_memory`).

    Args:
        name_or_path: as for `find_bundle`.
        device: ``"cpu"``, ``"cuda"``...; None takes CUDA where there is one.
        weights: another state dict than ``models/model.pt``.
        runtime: what computes the scores; all but ``"torch"`` run on the CPU.

    Raises:
        BundleError: ``NO_WEIGHTS`` where there are none, ``BUNDLE_BROKEN`` where they do not fit
            the network; ``BAD_CALIBRATION``; those of `require_device`, `require_runtime` and
            `scores_of`.
    """
    from monai.bundle import ConfigParser
    from monai.transforms import Compose

    keep_memory()
    by = require_runtime(runtime, device)
    root = find_bundle(name_or_path)
    path = Path(weights) if weights is not None else root / "models" / "model.pt"
    if not path.is_file():
        raise BundleError(
            "NO_WEIGHTS", f"The bundle {root.name} has no weights: train it, or pass weights."
        )
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "inference.yaml"))
    parser["bundle_root"] = str(root)
    cuda = by is Runtime.TORCH and torch.cuda.is_available()
    target = require_device(device or ("cuda" if cuda else "cpu"))
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
    metadata, channels, classes = _metadata(root)
    weights_sha256 = sha256_of(path)
    network = plain_convolutions(network.eval()).to(target)
    return Bundle(
        root.name,
        root,
        network,
        Compose(steps),
        parser.get_parsed_content("inferer"),
        target,
        weights_sha256,
        str(metadata.get("status", metadata.get("intended_use", ""))),
        classes,
        tuple(metadata.get("uncertain_classes", ())),
        _calibration(root / "configs" / "operating_points.json", weights_sha256),
        read_thresholds(root / "configs" / THRESHOLDS_FILE, weights_sha256),
        sha256_of_all(root / "configs" / name for name in SHAPE_NUMBERS),
        by,
        None if by is Runtime.TORCH else scores_of(network, by, channels=channels),
    )


def _metadata(root: Path) -> tuple[dict[str, Any], int, int]:
    """The bundle's metadata, the channels of its network's input and the classes it tells apart."""
    try:
        metadata = read_json(root / "configs" / "metadata.json")
        form = metadata["network_data_format"]
        channels = int(form["inputs"]["image"]["num_channels"])
        return dict(metadata), channels, len(form["outputs"]["pred"]["channel_def"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"The metadata.json of {root.name} is damaged or lacks its classes or channels."
        raise BundleError("BUNDLE_BROKEN", why) from error


def _calibration(path: Path, weights_sha256: str) -> Calibration | None:
    if not path.is_file():
        return None
    found = read_calibration(path)
    return found if found.weights_sha256 == weights_sha256 else None
