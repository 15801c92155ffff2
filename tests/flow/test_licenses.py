"""What the toolkit needs may stand beside Apache-2.0."""

from __future__ import annotations

import doctest

import pytest

from tools import licenses


def test_every_package_that_is_needed_has_a_license_that_may_stand_here() -> None:
    found = licenses.verdicts()
    assert not [verdict for verdict in found if verdict.fault]
    names = {verdict.name.lower() for verdict in found}
    assert {
        "torch",
        "pydicom",
        "pylibjpeg-openjpeg",
        "pylibjpeg-rle",
        "pyjpegls",
        "imagecodecs",
        "ruff",
    } <= names
    assert "pylibjpeg-libjpeg" not in names


@pytest.mark.parametrize(
    "declared",
    [
        "GPL V3.0",
        "GNU General Public License v3 (GPLv3); Other/Proprietary License",
        "GNU Affero General Public License v3",
        "AGPL-3.0-or-later",
        "MIT AND GPL-2.0-only",
        "GNU Lesser General Public License v3 (LGPLv3)",
        "Proprietary",
        "",
    ],
)
def test_what_is_not_free_to_pass_on_is_refused(declared: str) -> None:
    assert licenses.judge("some-package", declared)


def test_the_examples_hold() -> None:
    assert doctest.testmod(licenses).failed == 0
