"""Fixtures of the bundles' tests: where they are, a tiny data set, weights that fit but know
nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from tiny import write_tiny_dataset

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"


@pytest.fixture(params=["head_ct_anatomy", "ich_segmentation"])
def bundle(request: pytest.FixtureRequest) -> Path:
    """Each bundle in turn."""
    return BUNDLES / str(request.param)


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training heads, two validation heads."""
    return write_tiny_dataset(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture
def random_weights(bundle: Path, tmp_path: Path) -> Path:
    """A state dict for the bundle's network."""
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.yaml"))
    torch.manual_seed(0)
    path = tmp_path / "random.pt"
    torch.save(parser.get_parsed_content("network_def").state_dict(), path)
    return path
