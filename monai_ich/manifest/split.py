"""Folds for cross-validation: all scans of a patient in one fold, each subtype spread evenly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from monai_ich.core.errors import ManifestError
from monai_ich.manifest.labels import strata_of
from monai_ich.manifest.manifest import Manifest


def split_manifest(manifest: Manifest, *, folds: int, seed: int = 0, held_out: int = 0) -> Manifest:
    """Give each case outside of ``test`` a fold; one fold becomes ``validation``, the others
    ``training``.

    Args:
        manifest: whatever splits it has; ``test`` stays as it is.
        folds: how many.
        seed: the same seed gives the same folds, whatever the order of the rows.
        held_out: the fold to validate on.

    Raises:
        ManifestError: ``TOO_FEW_PATIENTS``.
    """
    pool = [case for case in manifest.cases if case.split != "test"]
    strata: dict[str, frozenset[str]] = {}
    for case in pool:
        strata[case.patient] = strata.get(case.patient, frozenset()) | strata_of(
            case, manifest.label_mapping
        )
    if len(strata) < folds:
        raise ManifestError(
            "TOO_FEW_PATIENTS", f"{folds} folds need as many patients, found {len(strata)}."
        )
    chosen = assign_folds(strata, Counter(case.patient for case in pool), folds, seed)

    def placed(fold: int) -> str:
        return "validation" if fold == held_out else "training"

    cases = tuple(
        case
        if case.split == "test"
        else replace(case, fold=chosen[case.patient], split=placed(chosen[case.patient]))
        for case in manifest.cases
    )
    return replace(manifest, cases=cases)


def assign_folds(
    strata: Mapping[str, Iterable[str]], scans: Mapping[str, int], folds: int, seed: int
) -> dict[str, int]:
    """Patients to folds, rarest finding first, each to the fold that lacks most of it.

    A patient may have several subtypes, so ordinary stratification (one class a patient) does not
    fit.

    Args:
        strata: patient to findings, at least one each.
        scans: patient to number of scans; of folds that lack as much, the one with fewest scans is
            taken.
        folds: how many.
        seed: order of the patients within a finding.

    Returns:
        Patient to fold, 0 to `folds` - 1.

    References:
        Sechidis K 2011, On the stratification of multi-label data,
        doi:10.1007/978-3-642-23808-6_10.
    """
    waiting = [str(p) for p in np.random.default_rng(seed).permutation(sorted(strata))]
    lacking = {
        name: [n / folds] * folds
        for name, n in Counter(s for p in strata for s in strata[p]).items()
    }
    filled = [0] * folds
    chosen: dict[str, int] = {}
    while waiting:
        left = Counter(name for patient in waiting for name in strata[patient])
        rarest = min(left, key=lambda name: (left[name], name))
        for patient in [p for p in waiting if rarest in strata[p]]:
            fold = min(range(folds), key=lambda f: (-lacking[rarest][f], filled[f], f))
            chosen[patient] = fold
            filled[fold] += scans[patient]
            for name in strata[patient]:
                lacking[name][fold] -= 1
        waiting = [p for p in waiting if p not in chosen]
    return chosen
