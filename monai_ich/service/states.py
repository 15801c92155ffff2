"""What becomes of a series, and what a reader says of it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a series is on its way: one column, changed in the transaction of what it is about."""

    RECEIVING = "receiving"
    SETTLED = "settled"
    QUEUED = "queued"
    ANALYZING = "analyzing"
    ANALYZED = "analyzed"
    SENDING = "sending"
    SENT = "sent"
    NOT_HEAD_CT = "not_head_ct"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"


class Reading(StrEnum):
    """What readers made of a result."""

    UNREAD = "unread"
    CONFIRMED = "confirmed"
    MODIFIED = "modified"
    DISMISSED = "dismissed"


class Sending(StrEnum):
    """What became of one object for one destination."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    SUPERSEDED = "superseded"


WAITING = (State.RECEIVING, State.SETTLED, State.QUEUED, State.ANALYZING)
FINISHED = (State.ANALYZED, State.SENDING, State.SENT)
ENDS = (State.ANALYZED, State.SENT, State.NOT_HEAD_CT, State.REFUSED, State.FAILED, State.EXPIRED)
NO_HEAD = ("NO_CT_SERIES", "LOCALIZER_ONLY", "NOT_HU", "NO_DICOM")  # import's codes of other series
BETTER_SERIES, OWN_RESULT = "BETTER_SERIES", "OWN_RESULT"
