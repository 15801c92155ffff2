"""Where a result comes from: versions, weights, settings, warnings. Nothing that identifies a
patient.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from monai_ich import __version__

RESEARCH_USE = "For research use; not a medical device."
_PACKAGES = ("monai", "torch", "numpy", "scipy", "nibabel", "pydicom", "SimpleITK")


@dataclass(frozen=True)
class Notice:
    """Something the reader of a number must know; kept in every result."""

    code: str
    message: str


@dataclass(frozen=True)
class Provenance:
    """What made a result.

    Args:
        versions: package name to version.
        weights: bundle name to the sha256 of its weights.
        status: what the weights were trained and tested on, in one sentence.
        settings: parameters that change numbers.
        seconds: stage to wall time.
    """

    versions: dict[str, str]
    weights: dict[str, str] = field(default_factory=dict)
    status: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def notice(self) -> str:
        """The status and what results are for, as each document shows it."""
        return f"{self.status} {RESEARCH_USE}".strip()


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a result."""
    found = {"python": platform.python_version(), "monai-ich": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
