"""Who did what, in a chain: each entry holds the hash of the one before it, so that none can go or
change unseen. Entries hold case numbers, never identity.
"""

from __future__ import annotations

import hashlib
import json
import time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monai_ich.service.tables import audit

_CHAIN_LOCK = 99_148
_START = "0" * 64


def note(
    link: Connection, actor: str, action: str, *, case: int | None = None, detail: str = ""
) -> None:
    """Add an entry, in the transaction of what it is about."""
    if link.dialect.name == "postgresql":  # SQLite has one writer anyway
        link.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHAIN_LOCK)))
    last = link.execute(sa.select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)).scalar()
    row = (round(time.time(), 3), actor, action, case, detail)
    previous = last or _START
    link.execute(
        audit.insert().values(
            at=row[0],
            actor=actor,
            action=action,
            case_number=case,
            detail=detail,
            previous=previous,
            hash=_hash(previous, *row),
        )
    )


def broken_at(link: Connection) -> int | None:
    """The first entry whose hash does not follow from what is before it; None where all do."""
    previous = _START
    for row in link.execute(sa.select(audit).order_by(audit.c.id)):
        made = _hash(previous, row.at, row.actor, row.action, row.case_number, row.detail)
        if row.previous != previous or row.hash != made:
            return int(row.id)
        previous = row.hash
    return None


def _hash(previous: str, *row: object) -> str:
    return hashlib.sha256(json.dumps([previous, *row]).encode()).hexdigest()
