"""Manifests of public data sets, from the folder that their download gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from monai_ich.core.case_names import may_be_record, numbered
from monai_ich.core.errors import ManifestError
from monai_ich.manifest.manifest import Manifest
from monai_ich.manifest.masks import build_bhsd, build_ctich, build_instance2022
from monai_ich.manifest.reads import build_cq500
from monai_ich.manifest.rsna2019 import build_rsna2019

BUILDERS: Mapping[str, Callable[[Path], Manifest]] = {
    "bhsd": build_bhsd,
    "instance2022": build_instance2022,
    "ctich": build_ctich,
    "cq500": build_cq500,
    "rsna2019": build_rsna2019,
}


def build_manifest(name: str, folder: Path, *, keep_ids: bool = False) -> Manifest:
    """The manifest of a public data set.

    Args:
        name: a key of `BUILDERS`.
        folder: what the download gives, unpacked.
        keep_ids: keep names with four digits in a row, as a record number has them; else all scans
            are numbered.

    Raises:
        ManifestError: ``NO_CASES``, ``NOT_PSEUDONYM``, ``UNREADABLE_FILE``; of a table
            ``MISSING_COLUMN``, ``BAD_ROW``.
        IchError: a mask that cannot be read.
    """
    unlike = f"The folder is not laid out like {name}: see data_manifests/{name}.md."
    try:
        manifest = BUILDERS[name](folder)
    except (FileNotFoundError, NotADirectoryError, KeyError) as error:  # a table or a column of it
        raise ManifestError("NO_CASES", unlike) from error
    if not manifest.cases:
        raise ManifestError("NO_CASES", unlike)
    told = [text for case in manifest.cases for text in (case.id, case.patient)]
    return _renamed(manifest) if not keep_ids and any(map(may_be_record, told)) else manifest


def _renamed(manifest: Manifest) -> Manifest:
    """The same, scans and patients numbered in their order."""
    known = list(dict.fromkeys(case.patient for case in manifest.cases))
    patients = dict(zip(known, numbered(len(known), "patient"), strict=True))
    names = numbered(len(manifest.cases))
    cases = [
        replace(c, id=n, patient=patients[c.patient])
        for n, c in zip(names, manifest.cases, strict=True)
    ]
    return replace(manifest, cases=tuple(cases))
