"""What the service knows. Identity stands in a table of its own, and nowhere else.

Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()


def _number() -> Column[int]:
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


study = Table(
    "study",
    metadata,
    _number(),  # the case number
    Column("uid", Text, nullable=False, unique=True),
    Column("received_at", Double, nullable=False),
)
series = Table(
    "series",
    metadata,
    _number(),
    Column("uid", Text, nullable=False),
    Column("study_id", ForeignKey("study.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reading", Text, nullable=False),
    Column("images", Integer, nullable=False),
    Column("announced", Integer, nullable=False),  # 0 where no header says
    Column("score", Double, nullable=False),  # import's, among series of one study
    Column("urgency", Integer, nullable=False),  # 1 first; by the reader's numbers where he drew
    Column("volume_ml", Double, nullable=False, server_default="0"),  # likewise
    Column("received_at", Double, nullable=False),
    Column("last_image_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),  # workers that died over it
    UniqueConstraint("study_id", "uid"),
    Index("series_state", "state", "urgency", "received_at"),
)
instance = Table(
    "instance",
    metadata,
    Column("sop_uid", Text, primary_key=True),
    Column("series_id", ForeignKey("series.id"), nullable=False, index=True),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("path", Text, nullable=False),  # below the data folder; empty once it was removed
    Column("received_at", Double, nullable=False),
)
open_association = Table(
    "open_association",
    metadata,
    Column("association", Text, primary_key=True),
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("since", Double, nullable=False),
)
result = Table(
    "result",
    metadata,
    _number(),
    Column("series_id", ForeignKey("series.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("work_key", Text, nullable=False, index=True),
    Column("folder", Text, nullable=False),  # empty once it was removed
    Column("summary", Text, nullable=False),  # JSON, see `summary.py`
    Column("sr_uid", Text, nullable=False),
    Column("finished_at", Double, nullable=False),
    Column("superseded_at", Double),
    UniqueConstraint("series_id", "generation"),
)
outbox = Table(
    "outbox",
    metadata,
    _number(),
    Column("result_id", ForeignKey("result.id"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sop_uid", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", Double, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("sent_at", Double),
    UniqueConstraint("result_id", "destination", "sop_uid"),
    Index("outbox_state", "state", "next_try_at"),
)
verdict = Table(
    "verdict",
    metadata,
    _number(),
    Column("result_id", ForeignKey("result.id"), nullable=False, index=True),
    Column("reader", Text, nullable=False),
    Column("reading", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("folder", Text, nullable=False),  # of the modified masks and their numbers
    Column("summary", Text, nullable=False),
    Column("at", Double, nullable=False),
)
audit = Table(
    "audit",
    metadata,
    _number(),
    Column("at", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("case_number", Integer),
    Column("detail", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
)
identity = Table(
    "identity",
    metadata,
    Column("study_id", ForeignKey("study.id"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("accession", Text, nullable=False),
    Column("birth_date", Text, nullable=False),
)
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("detail", Text, nullable=False),
)
