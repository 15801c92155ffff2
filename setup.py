"""Beside `setup.cfg`: a wheel holds bundles, configs, the schema of manifests and the commit it was
built from.
"""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
SHARE = (
    *(f"bundles/head_ct_anatomy/{what}" for what in ("LICENSE", "configs", "docs", "models")),
    *(f"bundles/ich_segmentation/{what}" for what in ("LICENSE", "configs", "docs", "models")),
    *(f"bundles/ich_classification/{what}" for what in ("LICENSE", "configs", "docs", "models")),
    *("configs", "data_manifests"),
)


class BuildWithShare(build_py):
    """Also copy what stands beside the package, as `monai_ich.core.shipped` looks for it."""

    def run(self) -> None:
        """Build, then copy; an editable install uses the checkout."""
        super().run()
        if self.editable_mode:
            return
        share = Path(self.build_lib) / "monai_ich" / "share"
        shutil.rmtree(share, ignore_errors=True)
        for name in SHARE:
            source, target = ROOT / name, share / name
            if source.is_dir():
                shutil.copytree(
                    source, target, ignore=shutil.ignore_patterns("__pycache__", "runs")
                )
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        (share / "commit.txt").write_text(_commit())


class SdistWithCommit(sdist):
    """Also write the commit, which an unpacked sdist does not know."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Add ``commit.txt``."""
        super().make_release_tree(base_dir, files)
        (Path(base_dir) / "commit.txt").write_text(_commit())


def _commit() -> str:
    written = ROOT / "commit.txt"
    if written.is_file():
        return written.read_text()
    return str(runpy.run_path(str(ROOT / "monai_ich" / "core" / "shipped.py"))["commit"]())


setup(cmdclass={"build_py": BuildWithShare, "sdist": SdistWithCommit})
