"""Hounsfield units as the network sees them: after the bundle's own resampling, before its
windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_ich.bundle import find_bundle
from monai_ich.core.errors import IchError
from monai_ich.io.quiet import quiet
from monai_ich.io.read import read_ct
from monai_ich.manifest.manifest import Case

LOWEST_HU, HIGHEST_HU = -100, 200
_AT_MOST = 20


@dataclass(frozen=True, eq=False)
class Densities:
    """Voxels per HU of each scan ``(scans, HIGHEST_HU - LOWEST_HU)``, one bin a unit."""

    counts: NDArray[np.int64]


def measure_densities(
    cases: Sequence[Case], predictions: Path, *, bundle: str | Path = "ich_segmentation"
) -> Densities:
    """Histograms of up to 20 scans, spread evenly over the list; scans that cannot be read are left
    out.

    Args:
        cases: of a manifest.
        predictions: a study's folder, whose ``ct.nii.gz`` is taken where it is there, else the
            case's image.
        bundle: whose preprocessing.
    """
    chosen = sorted({round(n) for n in np.linspace(0, len(cases) - 1, _AT_MOST)}) if cases else []
    found = list(_histograms([cases[n] for n in chosen], predictions, bundle))
    return Densities(np.array(found, np.int64).reshape(-1, HIGHEST_HU - LOWEST_HU))


def _histograms(
    cases: Sequence[Case], predictions: Path, bundle: str | Path
) -> Iterator[NDArray[np.int64]]:
    import torch
    from monai.data.meta_tensor import MetaTensor

    steps, offset = _resampling(bundle)
    for case in cases:
        homes = (predictions / case.id, predictions / "cases" / case.id)
        files = [home / "ct.nii.gz" for home in homes if (home / "ct.nii.gz").is_file()] or list(
            case.image
        )
        with suppress(IchError):  # what is wrong with an image is not this evaluation's business
            ct = read_ct(files[0]).volume
            image: Any = {"image": MetaTensor(ct.hu[None], affine=torch.tensor(ct.geometry.affine))}
            for step in steps:
                image = step(image)
            hu = image["image"].numpy() - offset
            yield np.histogram(hu, HIGHEST_HU - LOWEST_HU, (LOWEST_HU, HIGHEST_HU))[0]


def _resampling(bundle: str | Path) -> tuple[list[Any], float]:
    """The steps of ``inference.yaml`` after reading and before the windows, and what they add to
    HU.
    """
    from monai.bundle.config_parser import ConfigParser
    from monai.transforms.intensity.dictionary import ShiftIntensityd
    from monai.transforms.utility.dictionary import CopyItemsd

    parser = ConfigParser()
    parser.read_config(str(find_bundle(bundle) / "configs" / "inference.yaml"))
    with quiet("monai.data.nvimgcodec_pydicom_plugin"):  # a decoder that is not needed here
        after_reading = parser.get_parsed_content("preprocessing").transforms[2:]
    steps = list(takewhile(lambda step: not isinstance(step, CopyItemsd), after_reading))
    return steps, sum(step.shifter.offset for step in steps if isinstance(step, ShiftIntensityd))
