"""Named points where tests end the process as a power cut would; the one place that reads the
setting for it.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    *("half_file", "file_before_row", "row_before_response"),
    *("settle", "claim", "judged", "stage_read", "stage_write", "results_before_state"),
    *("between_objects", "archive_accepted", "verdict", "migration", "retention"),
)
_SETTING = "MONAI_ICH_CRASH_AT"


def crash_point(name: str) -> None:
    """End this process at once where the test asks for it; nothing in service."""
    assert name in POINTS, name
    if os.environ.get(_SETTING) == name:
        os.kill(os.getpid(), signal.SIGKILL)
