"""Text in tables that spreadsheets open: a cell that begins like a formula would be computed
there.
"""

from __future__ import annotations

from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001, wide ones count too


def plain_cell(value: Any) -> Any:
    """Text that begins like a formula gets an apostrophe before it; numbers and all else stay.

    References:
        OWASP, CSV injection

    >>> plain_cell("=HYPERLINK(1)"), plain_cell(-1.5), plain_cell("case_7")
    ("'=HYPERLINK(1)", -1.5, 'case_7')
    """
    is_formula = (
        isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA) and not _is_number(value)
    )
    return f"'{value}" if is_formula else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
