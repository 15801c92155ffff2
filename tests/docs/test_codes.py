"""The page of codes names every code of the source, and no other."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs/reference/codes.md"
_CODE = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*")
# names in capitals that are no codes: variables of the environment, values of DICOM, labels
_OTHERS = re.compile(
    r"(MLFLOW_(?!UNAVAILABLE|FAILED)|RAY_(?!NOT_STARTED)|MONAI_ICH_|GIT_|MALLOC_|OMP_|INFERENCE_|SC_).*|DOSE_INFO|HU_MOD|Z_EFF"
    r"|(LEFT|RIGHT)_(HEMISPHERE|VENTRICLE)|POSTERIOR_FOSSA"
)


def codes_in_source() -> set[str]:
    """What errors and warnings are made with, and words with an underscore that tables of codes
    hold.
    """
    found = set()
    for path in (ROOT / "monai_ich").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                maker = ast.unparse(node.func)
                if (maker == "Notice" or maker.endswith("Error")) and isinstance(
                    node.args[0].value, str
                ):
                    found.add(node.args[0].value)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "_" in node.value:
                found.add(node.value)
    return {text for text in found if _CODE.fullmatch(text) and not _OTHERS.fullmatch(text)}


def codes_in_page() -> list[str]:
    """Those of the first column."""
    rows = re.findall(r"^\| (`[A-Z].*?) \|", PAGE.read_text(), re.MULTILINE)
    return [code for row in rows for code in re.findall(r"`([A-Z0-9_]+)`", row)]


@pytest.mark.slow
def test_each_code_stands_in_the_page_once() -> None:
    source, page = codes_in_source(), codes_in_page()
    assert source - set(page) == set()
    assert set(page) - source == set()
    assert len(page) == len(set(page))
