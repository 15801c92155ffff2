"""The tiny heads of the bundles' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundles.tiny import write_tiny_dataset


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training heads, two validation heads."""
    return write_tiny_dataset(tmp_path_factory.mktemp("tiny") / "data")
