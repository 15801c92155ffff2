"""The list of scans that a bundle trains and evaluates on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ich.core.errors import ManifestError, TrainingError
from monai_ich.core.json_text import read_json
from monai_ich.parts.label_files import no_labels, training_labels

SHIFTED_MM = 3.0
MADE = ".monai-ich"  # folder in the data set for label files that are made from its own


def list_rows(dataset_dir: str | Path, section: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows of a section of ``dataset.json`` as they stand there, and the label mapping; no other
    file is looked at.

    Raises:
        ManifestError: ``NO_DATA_LIST``.
    """
    listing = Path(dataset_dir) / "dataset.json"
    try:
        listed = read_json(listing)
    except OSError as error:
        message = "The data set needs a dataset.json, none was found in its folder."
        raise ManifestError("NO_DATA_LIST", message) from error
    except ValueError as error:
        raise ManifestError(
            "NO_DATA_LIST", "The dataset.json of the data set is not JSON."
        ) from error
    rows = listed.get(section) if isinstance(listed, dict) else None
    if not rows:
        raise ManifestError(
            "NO_DATA_LIST", f"The dataset.json of the data set has no scans under {section!r}."
        )
    return rows, listed.get("label_mapping", {})


def read_data_list(
    dataset_dir: str | Path,
    section: str,
    keys: Mapping[str, str],
    *,
    repeat_shifted: int = 1,
    bloodless_every: int = 1,
) -> list[dict[str, str]]:
    """Rows of ``dataset.json`` with absolute paths and the ``case``; a manifest's label mapping is
    applied.

    A row that lacks what only augmentation wants (anatomy, beside a label) gets an empty mask
    instead.

    Args:
        dataset_dir: folder that holds ``dataset.json``: a manifest (`monai_ich.manifest.manifest`),
            or any list in the style of the Medical Segmentation Decathlon.
        section: ``"training"`` or ``"validation"``.
        keys: name in the result to name in the file, for example ``{"image": "image", "label":
            "anatomy"}``.
        repeat_shifted: how often a head is listed whose ``midline_shift_mm`` is 3 mm or more to
            either side. Few heads are shifted, and a network that seldom sees one leaves the
            midline in the middle. Rows without it count 0.
        bloodless_every: every how many-th of the heads is listed whose ``exam_labels`` say that
            there is no hemorrhage: they teach little more once the network finds nothing in them.
            Rows without labels are all listed.

    Raises:
        ManifestError: ``NO_DATA_LIST`` where the file or the section is missing, ``MISSING_FILE``
            where a scan is, ``NO_SUBTYPE`` where masks do not say which hemorrhage they show.
    """
    folder = Path(dataset_dir).resolve()
    rows, mapping = list_rows(folder, section)
    found = []
    for number, row in enumerate(rows):
        paths = {key: folder / str(row.get(source, "")) for key, source in keys.items()}
        lacks = {key for key, path in paths.items() if not path.is_file()}
        missing = [key for key in lacks if key in ("image", "label") or keys[key] in row]
        if missing:
            raise ManifestError(
                "MISSING_FILE", f"Scan {number} of {section!r} has no file for {missing[0]!r}."
            )
        paths |= {key: no_labels(paths["image"], folder / MADE) for key in lacks}
        if keys.get("label") == "label":
            edema = folder / str(row["edema"]) if "edema" in row else None
            paths["label"] = training_labels(paths["label"], mapping, folder / MADE, edema)
        name = str(row.get("id", f"{section} {number}"))
        found.append({"case": name} | {key: str(path) for key, path in paths.items()})
    bloodless = [row.get("exam_labels", {}).get("any") == 0 for row in rows]
    skipped = {
        n
        for k, n in enumerate(n for n, none in enumerate(bloodless) if none)
        if k % bloodless_every
    }
    shifted = [abs(row.get("midline_shift_mm", 0.0)) >= SHIFTED_MM for row in rows]
    return [
        dict(row)
        for number, (row, is_shifted) in enumerate(zip(found, shifted, strict=True))
        if number not in skipped
        for _ in range(repeat_shifted if is_shifted else 1)
    ]


def share_weights(rest: Sequence[object], *others: tuple[Sequence[object], float]) -> list[float]:
    """How often to draw each row of several lists, one after the other, which add up to 1.

    Args:
        rest: rows that get what the others leave.
        others: rows, and the share of the draws that they get together.

    Raises:
        TrainingError: as `require_shares`.
    """
    left = round(1.0 - sum(share for _, share in others), 9)
    require_shares([left, *(share for _, share in others)])
    return [share / len(rows) for rows, share in ((rest, left), *others) for _ in rows]


def require_shares(shares: Sequence[float]) -> None:
    """Raise ``BAD_SHARE`` where a share of what is drawn is below 0, or all are 0."""
    if min(shares) < 0 or not any(shares):
        raise TrainingError(
            "BAD_SHARE", "The shares of what is drawn must be 0 or more and add up to 1 at most."
        )
