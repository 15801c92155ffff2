"""Which unlabeled scans to label next: those the network doubts, and those unlike any it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from monai_ich.bundle import Bundle, predict
from monai_ich.core.errors import (
    BundleError,
    GeometryError,
    InputError,
    LabelError,
    ManifestError,
    SeriesError,
)
from monai_ich.core.json_text import read_json
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import read_labels
from monai_ich.manifest.manifest import Case, Manifest
from monai_ich.manifest.scans import name_case, read_row_ct


@dataclass(frozen=True, eq=False)
class Look:
    """What the network makes of a scan.

    Args:
        id: of the case.
        doubt_ml: sum of p (1 - p) of any hemorrhage, in mL, inside of the cavity where the case has
            an anatomy.
        features: ``(F,)``, means of its coarsest features over the scan.
    """

    id: str
    doubt_ml: float
    features: NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """A scan to label.

    Args:
        id: of the case.
        doubt_ml: see `Look`.
        novelty: distance to the nearest scan that has a mask or stands higher in the list, in
            standard deviations of the features; None for the first where none has a mask.
    """

    id: str
    doubt_ml: float
    novelty: float | None


def look_at(case: Case, bundle: Bundle) -> Look:
    """Run the network on a scan.

    Raises:
        IchError: as `read_ct`.
    """
    ct = read_row_ct(case.image)
    cavity = None
    if case.anatomy is not None:
        anatomy: LabelMap = read_labels(case.anatomy, Anatomy, grid=ct.geometry)
        cavity = anatomy.mask()
    coarsest: list[torch.Tensor] = []

    def keep(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        if not coarsest or output[0, 0].numel() < coarsest[0][0, 0].numel():
            coarsest[:] = [output]

    layers = [m for m in bundle.network.modules() if isinstance(m, torch.nn.Conv3d)]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        found = predict(replace(bundle, compiled=None), ct)  # hooks hear PyTorch alone
    finally:
        for hook in hooks:
            hook.remove()
    means = coarsest[0][0].float().flatten(1).mean(1).cpu().numpy().astype(np.float64)
    return Look(case.id, found.sums(len(Subtype), cavity).doubt_ml[-1], means)


def _require_subtypes(bundle: Bundle) -> None:
    try:
        metadata = read_json(bundle.root / "configs" / "metadata.json")
        shown = metadata["network_data_format"]["outputs"]["pred"]
        kind, names = shown["format"], shown["channel_def"]
        subtypes = all(names.get(str(int(s))) == s.name for s in Subtype)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            "BUNDLE_BROKEN", f"The metadata.json of {bundle.name} does not say what it shows."
        ) from error
    if kind != "segmentation" or not subtypes:
        wanted = ", ".join(f"{int(s)} {s.name}" for s in Subtype)
        raise BundleError(
            "WRONG_BUNDLE",
            f"Scans are ranked by a bundle that segments {wanted}, and {bundle.name} does not: "
            "give ich_segmentation, or one made from it.",
        )


def rank_looks(pool: Sequence[Look], known: Sequence[Look], count: int) -> tuple[Ranked, ...]:
    """The scans to label, most useful first.

    The rule: each scan has a rank by doubt and a rank by novelty, both from 0 to 1 over the scans
    that are left; the highest mean of both is next. A scan that was chosen counts as known from
    then on, so that the list does not hold ten scans that are alike. Without known scans the first
    is the most doubted.

    Args:
        pool: scans to choose from.
        known: scans that have masks.
        count: how many at most.

    References:
        Sener 2018 (farthest first), doi:10.48550/arXiv.1708.00489
    """
    left = list(pool)
    spread = np.std([look.features for look in (*known, *pool)], axis=0) if pool else np.ones(1)
    scale = np.where(spread > 0, spread, 1.0) * np.sqrt(spread.size)
    seen = [look.features / scale for look in known]
    chosen: list[Ranked] = []
    while left and len(chosen) < count:
        score = _rank([look.doubt_ml for look in left])
        novelties: list[float] = []
        if seen:
            novelties = [
                min(float(np.linalg.norm(look.features / scale - s)) for s in seen) for look in left
            ]
            score = (score + _rank(novelties)) / 2
        best = int(np.argmax(score))
        look = left.pop(best)
        chosen.append(Ranked(look.id, look.doubt_ml, novelties[best] if novelties else None))
        seen.append(look.features / scale)
    return tuple(chosen)


def _rank(values: Sequence[float]) -> NDArray[np.float64]:
    """0 for the lowest, 1 for the highest; equal ones share."""
    return np.asarray((rankdata(values) - 1.0) / max(1, len(values) - 1), np.float64)


def rank_manifest(
    manifest: Manifest,
    count: int,
    *,
    bundle: Bundle,
    progress: Callable[[Iterable[Case]], Iterable[Case]] = iter,
) -> tuple[tuple[Ranked, ...], tuple[ManifestError, ...]]:
    """Rank the scans without mask against those with one.

    Returns:
        The scans to label, and why others could not be read.

    Raises:
        BundleError: ``WRONG_BUNDLE`` where the bundle does not segment the subtypes;
            ``BUNDLE_BROKEN``.
        ManifestError: ``NO_CASES`` where every scan has a mask.
    """
    _require_subtypes(bundle)
    if all(case.label is not None for case in manifest.cases):
        raise ManifestError("NO_CASES", "Every scan of the manifest has a mask: nothing to label.")
    looks: dict[bool, list[Look]] = {True: [], False: []}
    faults = []
    for case in progress(manifest.cases):
        try:
            looks[case.label is not None].append(look_at(case, bundle))
        except (InputError, SeriesError, GeometryError, LabelError) as error:  # of this scan
            faults.append(name_case(error, case.id))
    return rank_looks(looks[False], looks[True], count), tuple(faults)
