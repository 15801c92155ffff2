"""A folder laid out like RSNA 2019."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom

from tests.phantom import edit, grid, series

COLUMNS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
COUNT = 8


def write_rsna(root: Path, **header: str) -> Path:
    """Two studies of one patient, eight images each, out of order in one folder; in the upper half
    of the second one a subdural hemorrhage (`image_name`).
    """
    images = root / "stage_2_train"
    images.mkdir(parents=True)
    lines = ["ID,Label"]
    for study in range(2):
        folder = series(root / "plain", grid(pixels=32, pixel_mm=6.4, count=COUNT), seed=study)
        ids = {
            "PatientID": "ID_0a10f4c2",
            "StudyInstanceUID": f"ID_bb{study}",
            "SeriesInstanceUID": f"ID_cc{study}",
        }
        edit(folder, lambda d, n, ids=ids: [setattr(d, k, v) for k, v in (ids | header).items()])
        for path in folder.iterdir():
            height = float(pydicom.dcmread(path).ImagePositionPatient[2])
            name = image_name(study, round(height / 5 + (COUNT - 1) / 2))
            path.rename(images / f"{name}.dcm")
            blood = study == 1 and height > 0
            labels = [int(blood and column in ("subdural", "any")) for column in COLUMNS]
            lines += [
                f"{name}_{column},{label}" for column, label in zip(COLUMNS, labels, strict=True)
            ] * 2  # some are there twice
        shutil.rmtree(folder)
    (root / "stage_2_train.csv").write_text("\n".join(lines) + "\n")
    return root


def image_name(study: int, place: int) -> str:
    """Of the image at this place from the neck, 0 first."""
    return f"ID_{study}{9 - place}f"
