"""What readers say of a result: confirmed, modified or dismissed. Nothing is overwritten.

A form says which verdict was the last when its page was made. Where another reader was faster, the
second one is told, and nothing of either is lost.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from monai_ich.core.errors import IchError, InputError, OutputError
from monai_ich.core.labels import Subtype
from monai_ich.io.publish import sync
from monai_ich.service.access import User
from monai_ich.service.audit import note
from monai_ich.service.crash import crash_point
from monai_ich.service.database import Database
from monai_ich.service.settings import Settings
from monai_ich.service.states import Reading
from monai_ich.service.summary import Summary, summarize
from monai_ich.service.tables import instance, result, series, verdict

MOST_REASON = 2000
SEG_NAMES = (".seg.nrrd", ".dcm")
MASKS = "masks.nii.gz"  # on the grid of the CT, beside what was uploaded


class Conflict(Exception):
    """Another verdict, or a new generation, came in between."""


@dataclass(frozen=True)
class Said:
    """A verdict.

    Args:
        reading: confirmed, modified or dismissed.
        reason: in the reader's words; needed for dismissed.
        after: id of the last verdict that the reader saw; 0 for none.
    """

    reading: Reading
    reason: str
    after: int


def record_verdict(
    db: Database,
    settings: Settings,
    user: User,
    result_id: int,
    said: Said,
    upload: Path | None = None,
) -> None:
    """Write a verdict; with masks that the reader drew, measured anew.

    Args:
        db, settings: of the service.
        user: who says it.
        result_id: of which result.
        said: what.
        upload: for modified: a ``.seg.nrrd`` or DICOM SEG, removed by the caller.

    Raises:
        InputError: ``REASON_NEEDED``, ``MASK_NEEDED``, ``UNKNOWN_RESULT``; as `measure_masks`.
        Conflict: nothing was written.
    """
    if said.reading is Reading.DISMISSED and not said.reason.strip():
        raise InputError("REASON_NEEDED", "A dismissed result needs a reason.")
    if said.reading is Reading.UNREAD or (said.reading is Reading.MODIFIED) != bool(upload):
        raise InputError("MASK_NEEDED", "Modified, and only that, needs a .seg.nrrd or DICOM SEG.")
    with db.read() as link:
        row = _current(link, result_id, said.after)
    folder, summary = "", ""
    if upload is not None:
        folder, summary = _measured(db, settings, row, upload)
    crash_point("verdict")
    with db.write() as link:
        try:
            row = _current(link, result_id, said.after)
        except (Conflict, InputError):
            if folder:
                shutil.rmtree(settings.data / folder, ignore_errors=True)
            raise
        link.execute(
            verdict.insert().values(
                result_id=result_id,
                reader=user.name,
                reading=said.reading,
                reason=said.reason.strip()[:MOST_REASON],
                folder=folder,
                summary=summary,
                at=time.time(),
            )
        )
        holds = Summary.from_json(summary or row.summary)
        link.execute(
            series.update()
            .where(series.c.id == row.series_id)
            .values(reading=said.reading, urgency=holds.urgency, volume_ml=holds.total_ml)
        )
        note(link, user.name, f"verdict: {said.reading}", case=row.study_id)


def _current(link: Connection, result_id: int, after: int) -> Row[Any]:
    query = (
        sa.select(result, series.c.study_id)
        .join(series, series.c.id == result.c.series_id)
        .where(result.c.id == result_id)
        .with_for_update()
    )
    row = link.execute(query).one_or_none()
    if row is None or not row.folder:
        raise InputError("UNKNOWN_RESULT", "There is no such result, or it has expired.")
    last = link.execute(
        sa.select(sa.func.max(verdict.c.id)).where(verdict.c.result_id == result_id)
    ).scalar()
    if row.superseded_at is not None or (last or 0) != after:
        raise Conflict
    return row


def _measured(db: Database, settings: Settings, row: Row[Any], upload: Path) -> tuple[str, str]:
    """Folder and summary of the numbers of a reader's masks."""
    from monai_ich.given import measure_masks
    from monai_ich.io.nifti import write_nifti
    from monai_ich.io.read import read_ct, read_labels

    name = f"verdicts/{uuid.uuid4().hex}"
    folder, before = settings.data / name, settings.data / row.folder
    images = settings.data / "work" / uuid.uuid4().hex
    try:
        folder.mkdir()
        ct = before / "ct.nii.gz"
        if upload.name.endswith(".dcm"):  # its frames lie on the source images
            _link_images(db, settings, row.series_id, images)
            ct = images
        numbers = folder / "numbers"
        made = measure_masks(
            upload,
            numbers,
            ct=ct,
            anatomy=before / "anatomy.nii.gz",
            case_id=f"case_{row.study_id}",
        )
        scan = read_ct(ct)
        drawn = read_labels(upload, Subtype, grid=scan.volume.geometry, source=scan.source)
        write_nifti(folder / MASKS, drawn)
        shutil.copyfile(upload, folder / f"upload{''.join(upload.suffixes[-2:])}")
        sync(folder)
    except (IchError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(images, ignore_errors=True)
    return name, summarize(made.exam, warnings=tuple(w.code for w in made.warnings)).to_json()


def _link_images(db: Database, settings: Settings, series_id: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    with db.read() as link:
        here = sa.select(instance.c.path).where(instance.c.series_id == series_id)
        names = [name for (name,) in link.execute(here)]
    for number, name in enumerate(names):
        if not name:
            raise OutputError(
                "ORIGINALS_EXPIRED", "The original images were removed: send them again."
            )
        os.link(settings.data / name, folder / f"{number:05d}.dcm")
