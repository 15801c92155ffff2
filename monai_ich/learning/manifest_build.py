"""Manifests of public data sets, from the folder that their download gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from monai_ich.core.errors import ManifestError
from monai_ich.learning.manifest import Manifest
from monai_ich.learning.manifest_masks import build_bhsd, build_ctich, build_instance2022
from monai_ich.learning.manifest_reads import build_cq500, build_rsna2019

BUILDERS: Mapping[str, Callable[[Path], Manifest]] = {
    "bhsd": build_bhsd,
    "instance2022": build_instance2022,
    "ctich": build_ctich,
    "cq500": build_cq500,
    "rsna2019": build_rsna2019,
}


def build_manifest(name: str, folder: Path) -> Manifest:
    """The manifest of a public data set.

    Args:
        name: a key of `BUILDERS`.
        folder: what the download gives, unpacked.

    Raises:
        ManifestError: ``NO_CASES``, ``NOT_PSEUDONYM``, ``UNREADABLE_FILE``.
        IchError: a mask that cannot be read.
    """
    unlike = f"{folder} is not laid out like {name}: see data_manifests/{name}.md."
    try:
        manifest = BUILDERS[name](folder)
    except (FileNotFoundError, NotADirectoryError, KeyError) as error:  # a table or a column of it
        raise ManifestError("NO_CASES", unlike) from error
    if not manifest.cases:
        raise ManifestError("NO_CASES", unlike)
    return manifest
