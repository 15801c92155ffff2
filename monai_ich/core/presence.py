"""Found, possible or not found."""

from __future__ import annotations

from enum import StrEnum

NOT_FOUND_BELOW_ML = 0.1  # nothing less is called possible; the networks drop smaller pieces


class Presence(StrEnum):
    """What is said of a finding. Between yes and no lies what a reader must look at."""

    FOUND = "found"
    POSSIBLE = "possible"
    NOT_FOUND = "not found"

    @classmethod
    def of(
        cls,
        present: bool,
        volume_ml: float,
        interval_ml: tuple[float, float] | None,
        probability: float | None,
    ) -> Presence:
        """Found: the volume reaches its operating point and its interval is above zero. Not found:
        no more than a trace, and improbable. All else is possible, so that what is said never
        contradicts a number beside it.

        >>> [Presence.of(ml > 1, ml, (low, 9.0), 0.3).value for ml, low in ((5, 2), (5, 0), (0, 0))]
        ['found', 'possible', 'not found']
        """
        if present and (interval_ml is None or interval_ml[0] > 0):
            return cls.FOUND
        if not present and volume_ml < NOT_FOUND_BELOW_ML and (probability or 0.0) < 0.5:
            return cls.NOT_FOUND
        return cls.POSSIBLE
