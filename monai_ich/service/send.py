"""The role ``send``: the outbox. An object counts as sent when the archive has said so, never
before; across restarts, as often as it takes.

What a network loses is tried again for as long as it takes, with growing pauses; what an archive
refuses, `send_tries` times. Objects of a result go in order, the report last. Each destination has
a thread of its own: one that does not answer delays no other.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from monai_ich.core.errors import SendError
from monai_ich.pacs.send import Credentials, Sent, send_dicomweb, send_dimse
from monai_ich.service.audit import note
from monai_ich.service.commitment import commit
from monai_ich.service.crash import crash_point
from monai_ich.service.database import Database, ahead
from monai_ich.service.loop import repeat
from monai_ich.service.settings import Destination, Settings
from monai_ich.service.states import Sending, State
from monai_ich.service.tables import outbox, result, series

_LOG = logging.getLogger(__name__)
_LEASE_S = 300.0


class Sender:
    """Sends one object at a time to one destination."""

    def __init__(self, db: Database, settings: Settings, owner: str, place: Destination) -> None:
        self.db, self.settings, self.owner, self.place = db, settings, owner, place
        mine = sa.and_(outbox.c.owner == owner, outbox.c.destination == place.name)
        with db.write() as link:
            link.execute(outbox.update().where(mine).values(lease_until=0.0))

    def step(self) -> bool:
        """Send the next object that is due; whether there was one."""
        row = self._claim()
        if row is None:
            return False
        is_final = True
        try:
            sent = send_one(self.place, self.settings.data / row.folder / row.name)
        except SendError as error:
            sent, is_final = Sent(row.name, error.code), False
        except OSError as error:
            sent, is_final = Sent(row.name, f"{type(error).__name__} here"), False
        except Exception as error:  # one broken object must not keep the others
            sent = Sent(row.name, f"{type(error).__name__} here")
        if not sent.reason:
            crash_point("archive_accepted")
        with self.db.write() as link:
            self._record(link, row, sent, is_final=is_final)
        crash_point("between_objects")
        return True

    def _claim(self) -> Row[Any] | None:
        now = time.time()
        before = outbox.alias()
        waits = sa.exists().where(  # for an earlier object of the same result
            before.c.result_id == outbox.c.result_id,
            before.c.destination == outbox.c.destination,
            before.c.id < outbox.c.id,
            before.c.state == Sending.PENDING,
        )
        due = sa.and_(
            outbox.c.state == Sending.PENDING,
            ~ahead(outbox.c.next_try_at, now, self.settings.send_wait_most_s),
            ~ahead(outbox.c.lease_until, now, _LEASE_S),
            outbox.c.destination == self.place.name,
            ~waits,
        )
        with self.db.read() as link:
            if not link.execute(sa.select(sa.exists().where(due))).scalar():
                return None
        first = (
            sa.select(outbox, result.c.folder, result.c.series_id)
            .join(result, result.c.id == outbox.c.result_id)
            .where(due)
            .order_by(outbox.c.next_try_at, outbox.c.id)
            .limit(1)
            .with_for_update(skip_locked=True, of=outbox)
        )
        with self.db.write() as link:
            row = link.execute(first).one_or_none()
            if row is not None:
                link.execute(
                    outbox.update()
                    .where(outbox.c.id == row.id)
                    .values(owner=self.owner, lease_until=now + _LEASE_S)
                )
        return row

    def _record(self, link: Connection, row: Row[Any], sent: Sent, *, is_final: bool) -> None:
        reason, tries = sent.reason, row.tries + 1
        wait_s = min(self.settings.send_wait_s * 2.0**row.tries, self.settings.send_wait_most_s)
        values: dict[str, object] = {"tries": tries, "lease_until": 0.0}
        values |= {"reason": reason or sent.warning}
        values |= {"owner": "", "next_try_at": time.time() + wait_s}
        if not reason:
            values |= {"state": Sending.SENT, "sent_at": time.time()}
        elif is_final and tries >= self.settings.send_tries:
            values["state"] = Sending.FAILED
        link.execute(outbox.update().where(outbox.c.id == row.id).values(**values))
        if values["reason"]:
            _LOG.warning("%s to %s, try %d: %s", row.name, row.destination, tries, values["reason"])
        if sent.warning:
            note(link, "send", f"{row.name} stored by {row.destination}", detail=sent.warning)
        if values.get("state") == Sending.FAILED:
            note(link, "send", f"{row.name} not accepted by {row.destination}", detail=reason)
        finish_series(link, row.series_id)


def finish_series(link: Connection, series_id: int) -> None:
    """A series is sent when no destination lacks an object of its result."""
    lacks = sa.exists().where(
        outbox.c.result_id == result.c.id,
        outbox.c.state.in_((Sending.PENDING, Sending.FAILED)),
        result.c.series_id == series.c.id,
        result.c.superseded_at.is_(None),
    )
    link.execute(
        series.update()
        .where(series.c.id == series_id, series.c.state == State.SENDING, ~lacks)
        .values(state=State.SENT, changed_at=time.time())
    )


def send_again(link: Connection, series_id: int) -> bool:
    """Have what an archive refused sent once more; whether there was something."""
    mine = sa.select(result.c.id).where(
        result.c.series_id == series_id, result.c.superseded_at.is_(None)
    )
    return bool(
        link.execute(
            outbox.update()
            .where(outbox.c.result_id.in_(mine), outbox.c.state == Sending.FAILED)
            .values(state=Sending.PENDING, tries=0, next_try_at=time.time())
        ).rowcount
    )


def send_one(place: Destination, path: Path) -> Sent:
    """What the archive says of an object. What it keeps with a warning is sent (PS3.4 B.2.3): sent
    again, it would be kept again.

    Raises:
        SendError: nothing was said that is final.
    """
    sent: tuple[Sent, ...]
    if place.kind == "dicomweb":
        token = Path(place.token_file).read_text("utf-8").strip() if place.token_file else ""
        ca = Path(place.ca) if place.ca else None
        sent = send_dicomweb(
            [path], place.url, credentials=Credentials(token=token), ca=ca, tries=1
        )
        return sent[0]
    tls = _tls(place)
    names = {"called": place.called, "calling": place.calling}
    sent = send_dimse([path], place.host, place.port, tls=tls, tries=1, **names)
    if sent[0].reason == "no answer":
        raise SendError("NO_CONNECTION", "The archive gave no answer.")
    if not sent[0].reason and place.commitment:
        return replace(sent[0], reason=commit(place, path, tls))
    return sent[0]


def _tls(place: Destination) -> ssl.SSLContext | None:
    if not place.tls:
        return None
    try:
        tls = ssl.create_default_context(cafile=place.ca or None)
        if place.cert:
            tls.load_cert_chain(place.cert)
    except OSError:
        raise SendError("BAD_CERTIFICATE", "A certificate file is no PEM file.") from None
    return tls


def run_send(db: Database, settings: Settings, owner: str, stop: threading.Event) -> None:
    """Send until told to stop; remove what has been kept long enough."""
    from monai_ich.service.retention import Retention

    retention = Retention(db, settings)
    loops = [(Sender(db, settings, owner, place).step, _nothing) for place in settings.destinations]

    def beat() -> None:
        db.beat(owner, "send")
        retention.step()

    loops.append((lambda: False, beat))
    with ThreadPoolExecutor(len(loops)) as threads:
        running = [threads.submit(repeat, step, stop, beat=beat) for step, beat in loops]
        ended, _ = wait(running, return_when=FIRST_EXCEPTION)
        stop.set()  # a thread that failed ends the process, which is started again
    for one in ended:
        one.result()


def _nothing() -> None:
    """One thread beats for all."""
