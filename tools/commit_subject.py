"""Refuse a commit whose subject is empty, longer than 72 characters, or ends with a period."""

from __future__ import annotations

import sys
from pathlib import Path


def main(path: str) -> int:
    """0 where the subject is fine.

    Args:
        path: of the file that holds the message, as git passes it to a ``commit-msg`` hook.
    """
    subject = next(iter(Path(path).read_text().splitlines()), "")
    if 0 < len(subject) <= 72 and not subject.endswith("."):
        return 0
    text = "The subject of a commit has 1 to 72 characters and no period at its end."
    print(text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
