"""Where a result comes from: versions, weights, settings, warnings. Nothing that identifies a
patient.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from monai_ich import __version__
from monai_ich.core.acquisition import Acquisition

MAKER = "MONAI-ICH"  # as the manufacturer of our DICOM objects
RESEARCH_USE = "For research use; not a medical device."
STUDY_DIGEST = "study_digest"  # a setting that also changes with the files of the input
_SHORT = 16  # of the digits of a sha256
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
        configs: bundle name to the sha256 of its settings and calibration.
        acquisition: how the scan was made.
    """

    versions: dict[str, str]
    weights: dict[str, str] = field(default_factory=dict)
    status: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    acquisition: Acquisition = field(default_factory=Acquisition)

    @property
    def notice(self) -> str:
        """The status and what results are for, as each document shows it."""
        return f"{self.status} {RESEARCH_USE}".strip()

    @property
    def settings_digest(self) -> str:
        """Short hash of settings, and of the bundles' settings and calibration."""
        settings = {name: value for name, value in self.settings.items() if name != STUDY_DIGEST}
        text = json.dumps([settings, self.configs], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]

    def as_columns(self) -> dict[str, Any]:
        """Columns of a table: rows of two releases, settings or scanners can be told apart."""
        weights = [f"{name} {sha256[:_SHORT]}" for name, sha256 in sorted(self.weights.items())]
        return {
            "toolkit_version": self.versions.get("monai-ich"),
            "weights": ", ".join(weights) or None,
            "weights_reason": None if weights else "a mask was given, no network was run",
            "settings_digest": self.settings_digest,
            **self.acquisition.as_columns(),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Provenance:
        """The opposite of `dataclasses.asdict`, also of what earlier versions wrote."""
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        made = dict(known.pop("acquisition", None) or {})
        made["spacing_mm"] = tuple(made["spacing_mm"]) if made.get("spacing_mm") else None
        known.setdefault("versions", {})
        return cls(**known, acquisition=Acquisition(**made))


def installed_versions(more: Iterable[str] = ()) -> dict[str, str]:
    """Versions of Python, of the packages that shape a result, and of `more`."""
    found = {"python": platform.python_version(), "monai-ich": __version__}
    for name in (*_PACKAGES, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    return sha256_of_all([path])


def sha256_of_all(paths: Iterable[Path]) -> str:
    """Hex sha256 of the files that are there, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file():
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
