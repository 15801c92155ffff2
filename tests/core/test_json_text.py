"""JSON that others wrote."""

from __future__ import annotations

import pytest

from monai_ich.core.json_text import parse_json


@pytest.mark.parametrize("text", [r'{"case_id": "\ud800"}', r'["\uDFff"]', r'{"\udc00": 1}'])
def test_half_a_character_is_refused_before_a_file_of_ours_would_hold_it(text: str) -> None:
    with pytest.raises(ValueError, match="half"):
        parse_json(text.encode())


def test_whole_characters_are_read_however_they_are_written() -> None:
    assert parse_json(rb'["\ud83e\udde0", "\u00e9", "\\ud800"]') == ["\U0001f9e0", "é", r"\ud800"]
