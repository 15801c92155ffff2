"""An image comes in, by C-STORE or STOW: on disk and in the tables, then acknowledged.

References:
    DICOM PS3.4 B.2.3 (status codes of C-STORE).
"""

from __future__ import annotations

import time
import uuid
from enum import IntEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from monai_ich.service.audit import note
from monai_ich.service.crash import crash_point
from monai_ich.service.database import Database, insert_new
from monai_ich.service.originals import Header, content_sha256, has_room, keep, read_header
from monai_ich.service.results import supersede
from monai_ich.service.settings import Settings
from monai_ich.service.states import FINISHED, OWN_RESULT, Reading, State
from monai_ich.service.tables import identity, instance, open_association, series, study

_UNJUDGED = 2  # urgency before anything is known


class Status(IntEnum):
    """What is answered."""

    SUCCESS = 0x0000
    OTHER_BYTES = 0xB000
    NOT_AN_IMAGE = 0x0122
    NO_ROOM = 0xA700
    OTHER_STUDY = 0xA900
    UNREADABLE = 0xC000


def admit(
    db: Database,
    settings: Settings,
    path: Path,
    *,
    sop_uid: str = "",
    association: str = "",
    owner: str = "",
) -> Status:
    """Take one file; it stays where it is, and may be removed afterwards.

    Args:
        db, settings: of the service.
        path: a DICOM file on the disk of the data folder.
        sop_uid: as the sender announced it; another one in the file makes it unreadable.
        association: through which it came; its end lets the series settle. Empty for STOW.
        owner: process that holds the association.
    """
    header = read_header(path)
    if header is None or sop_uid not in ("", header.sop_uid):
        return Status.UNREADABLE
    if not header.is_image and not header.is_ours:
        return Status.NOT_AN_IMAGE
    if not has_room(settings):
        return Status.NO_ROOM
    try:
        return _keep_and_record(db, settings, path, header, association, owner)
    except (OSError, sa.exc.SQLAlchemyError):  # full, locked or away: the sender tries again
        return Status.NO_ROOM


def _keep_and_record(
    db: Database, settings: Settings, path: Path, header: Header, association: str, owner: str
) -> Status:
    sha256 = content_sha256(path)
    with db.read() as link:
        known = _known(link, header.sop_uid)
    is_removed = known is not None and known.sha256 == sha256 and not known.path
    if known is None or is_removed:
        mark = f"_{uuid.uuid4().hex[:8]}" if is_removed else ""
        name = keep(settings, path, header.sop_uid, sha256, mark=mark)
        crash_point("file_before_row")
        with db.write() as link:
            known = _record(link, header, name, sha256, path.stat().st_size, association, owner)
        crash_point("row_before_response")
        if known is None:
            return Status.SUCCESS
        if known.path != name:
            (settings.data / name).unlink(missing_ok=True)
    if known.sha256 == sha256:
        return Status.SUCCESS
    with db.write() as link:
        note(link, "receive", "other bytes under a known UID", case=known.study_id)
    return Status.OTHER_BYTES


def _known(link: Connection, sop_uid: str) -> Any:
    query = (
        sa.select(instance.c.sha256, instance.c.path, series.c.study_id)
        .join(series, series.c.id == instance.c.series_id)
        .where(instance.c.sop_uid == sop_uid)
    )
    return link.execute(query).one_or_none()


def _record(
    link: Connection,
    header: Header,
    name: str,
    sha256: str,
    size: int,
    association: str,
    owner: str,
) -> Any:
    """The image's row and the series' state, in one transaction; the row of the first one where
    another association was faster. One whose file was removed has it again.
    """
    now = time.time()
    insert_new(link, study, uid=header.study_uid, received_at=now)
    study_id = link.execute(sa.select(study.c.id).where(study.c.uid == header.study_uid)).scalar()
    fresh = {
        "state": State.NOT_HEAD_CT if header.is_ours else State.RECEIVING,
        "reason": OWN_RESULT if header.is_ours else "",
        "urgency": _UNJUDGED,
    }
    start = {"generation": 1, "reading": Reading.UNREAD, "images": 0, "announced": 0, "score": 0.0}
    times = {"received_at": now, "last_image_at": now, "changed_at": now, "lease_until": 0.0}
    insert_new(
        link,
        series,
        uid=header.series_uid,
        study_id=study_id,
        owner="",
        attempt=0,
        deaths=0,
        **fresh,
        **start,
        **times,
    )
    here = sa.and_(series.c.study_id == study_id, series.c.uid == header.series_uid)
    row = link.execute(sa.select(series).where(here).with_for_update()).one()
    known = _known(link, header.sop_uid)
    if known is not None:
        if known.path or known.sha256 != sha256:
            return known
        _restore(link, row, header.sop_uid, name)
        return None
    values = {
        "images": row.images + 1,
        "announced": max(row.announced, header.announced),
        "last_image_at": now,
    }
    if not header.is_ours:
        values |= _reopened(link, row, now)
    link.execute(series.update().where(series.c.id == row.id).values(**values))
    link.execute(
        instance.insert().values(
            sop_uid=header.sop_uid,
            series_id=row.id,
            sha256=sha256,
            bytes=size,
            path=name,
            received_at=now,
        )
    )
    if association and not header.is_ours:
        insert_new(
            link,
            open_association,
            association=association,
            series_id=row.id,
            owner=owner,
            since=now,
        )
    insert_new(
        link,
        identity,
        study_id=study_id,
        name=header.name,
        patient_id=header.patient_id,
        accession=header.accession,
        birth_date=header.birth_date,
    )
    return None


def _restore(link: Connection, row: Row[Any], sop_uid: str, name: str) -> None:
    """An image that was removed after its time is here again. A series that came to its end keeps
    that; one that lacks images is received anew, whoever is working on it.
    """
    now = time.time()
    link.execute(
        instance.update().where(instance.c.sop_uid == sop_uid).values(path=name, received_at=now)
    )
    if row.state not in (*FINISHED, State.NOT_HEAD_CT, State.EXPIRED):
        values = {"last_image_at": now, **_reopened(link, row, now)}
        link.execute(series.update().where(series.c.id == row.id).values(**values))


def _reopened(link: Connection, row: Row[Any], now: float) -> dict[str, object]:
    """A late image: the series is received again. Once somebody judged or analyzed it, that is a
    new generation; what was found before is superseded, and what was not yet sent never goes.
    """
    if row.state == State.RECEIVING:
        return {}
    values: dict[str, object] = {"state": State.RECEIVING, "reason": "", "changed_at": now}
    values |= {"owner": "", "lease_until": 0.0, "attempt": 0, "deaths": 0}
    if row.state == State.SETTLED and not row.owner:
        return values
    supersede(link, row.id)
    note(link, "receive", "late image, analyzed anew", case=row.study_id)
    return values | {
        "generation": row.generation + 1,
        "reading": Reading.UNREAD,
        "urgency": _UNJUDGED,
    }
