"""From a finished analysis to a result in the tables: whole and on disk first, then one
transaction.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

import pydicom
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from sqlalchemy.engine import Connection, Row

from monai_ich.io.publish import sync, sync_folder
from monai_ich.io.quiet import quiet
from monai_ich.results.dicom import DICOM_HEAT_MAPS, DICOM_RESULTS
from monai_ich.service.settings import Settings
from monai_ich.service.states import Sending, State
from monai_ich.service.summary import Summary
from monai_ich.service.tables import instance, outbox, result, series

_SUMMARY, _REPORT = "summary.json", "sr.dcm"


def work_key(link: Connection, series_id: int, analyzer_key: str, predecessor: str) -> str:
    """What a result follows from: images, weights, settings, and the report that it replaces."""
    images = link.execute(
        sa.select(instance.c.sop_uid, instance.c.sha256)
        .where(instance.c.series_id == series_id)
        .order_by(instance.c.sop_uid)
    )
    text = "\n".join([analyzer_key, predecessor, *(f"{uid} {sha}" for uid, sha in images)])
    return hashlib.sha256(text.encode()).hexdigest()


def folder_of(key: str) -> str:
    """Below the data folder."""
    return f"results/{key[:32]}"


def finished(settings: Settings, key: str) -> Summary | None:
    """The result of a key where it is there, by an earlier run or one that was killed before it
    said so.
    """
    path = settings.data / folder_of(key) / _SUMMARY
    return Summary.from_json(path.read_text("utf-8")) if path.is_file() else None


def publish_result(settings: Settings, key: str, made: Path, summary: Summary) -> None:
    """Give a folder of results its name, once all of it is on disk."""
    (made / _SUMMARY).write_text(summary.to_json() + "\n", encoding="utf-8")
    sync(made)
    if finished(settings, key) is not None:  # another worker was faster, with the same
        return
    final = settings.data / folder_of(key)
    if final.exists():  # without a summary: a removal that was cut short
        shutil.rmtree(final)
    made.rename(final)
    sync_folder(final.parent)


def predecessor_of(link: Connection, row: Row[Any]) -> str:
    """UID of the report of an earlier generation that some archive holds; empty where none does."""
    query = (
        sa.select(result.c.sr_uid)
        .join(outbox, outbox.c.result_id == result.c.id)
        .where(
            result.c.series_id == row.id,
            result.c.generation < row.generation,
            outbox.c.sop_uid == result.c.sr_uid,
            outbox.c.state == Sending.SENT,
        )
        .order_by(result.c.generation.desc())
        .limit(1)
    )
    return str(link.execute(query).scalar() or "")


def name_predecessor(settings: Settings, folder: Path, link: Connection, sr_uid: str) -> None:
    """Have the report say which one it replaces.

    References:
        DICOM PS3.3 C.17.2 (Predecessor Documents Sequence, 0040,A360).
    """
    old = link.execute(sa.select(result.c.folder).where(result.c.sr_uid == sr_uid)).scalar()
    path = folder / _REPORT
    before = settings.data / str(old) / _REPORT
    if not path.is_file() or not before.is_file():
        return
    with quiet("pydicom"):
        if str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) == sr_uid:
            return
        earlier = pydicom.dcmread(before, specific_tags=["SOPClassUID", "SeriesInstanceUID"])
        report = pydicom.dcmread(path)
        sop, in_series, in_study = Dataset(), Dataset(), Dataset()
        sop.ReferencedSOPClassUID = earlier.SOPClassUID
        sop.ReferencedSOPInstanceUID = sr_uid
        in_series.SeriesInstanceUID = earlier.SeriesInstanceUID
        in_series.ReferencedSOPSequence = Sequence([sop])
        in_study.StudyInstanceUID = report.StudyInstanceUID
        in_study.ReferencedSeriesSequence = Sequence([in_series])
        report.PredecessorDocumentsSequence = Sequence([in_study])
        report.save_as(path)


def supersede(link: Connection, series_id: int) -> None:
    """What was found before holds no more, and what was not yet sent of it never goes."""
    old = sa.select(result.c.id).where(result.c.series_id == series_id)
    link.execute(
        result.update()
        .where(result.c.series_id == series_id, result.c.superseded_at.is_(None))
        .values(superseded_at=time.time())
    )
    link.execute(
        outbox.update()
        .where(outbox.c.result_id.in_(old), outbox.c.state != Sending.SENT)
        .values(state=Sending.SUPERSEDED)
    )


def record_result(
    link: Connection,
    settings: Settings,
    row: Row[Any],
    key: str,
    summary: Summary,
) -> None:
    """The result, what is to be sent of it, and the series' state: all at once."""
    now, name = time.time(), folder_of(key)
    objects = _objects(settings.data / name)
    made = link.execute(
        result.insert()
        .values(
            series_id=row.id,
            generation=row.generation,
            work_key=key,
            folder=name,
            summary=summary.to_json(),
            sr_uid=objects.get(_REPORT, ""),
            finished_at=now,
        )
        .returning(result.c.id)
    ).scalar()
    rows = [
        {
            "result_id": made,
            "destination": place.name,
            "name": file,
            "sop_uid": uid,
            "state": Sending.PENDING,
            "reason": "",
            "tries": 0,
            "next_try_at": now,
            "owner": "",
            "lease_until": 0.0,
        }
        for place in settings.destinations
        for file, uid in objects.items()
    ]
    if rows:
        link.execute(outbox.insert(), rows)
    link.execute(
        series.update()
        .where(series.c.id == row.id)
        .values(
            state=State.SENDING if rows else State.ANALYZED,
            reason="",
            urgency=summary.urgency,
            volume_ml=summary.total_ml,
            owner="",
            lease_until=0.0,
            attempt=0,
            deaths=0,
            changed_at=now,
        )
    )


def _objects(folder: Path) -> dict[str, str]:
    """DICOM files and their SOP UIDs, in the order in which they are sent: a report refers to what
    came before it.
    """
    order = (*sorted(DICOM_RESULTS, key=lambda name: name == _REPORT), *DICOM_HEAT_MAPS)
    found = {}
    with quiet("pydicom"):
        for name in order:
            if (folder / name).is_file():
                header = pydicom.dcmread(folder / name, specific_tags=["SOPInstanceUID"])
                found[name] = str(header.SOPInstanceUID)
    return found
