"""What reading says: codes of warnings and of refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_ich.core.errors import IchError
from monai_ich.io.read import Scan, read_ct


def codes(scan: Scan) -> set[str]:
    return {w.code for w in scan.warnings}


def refused(path: Path, **how: object) -> str:
    with pytest.raises(IchError) as error:
        read_ct(path, **how)  # type: ignore[arg-type]
    assert error.value.message.count("\n") == 0
    return error.value.code
