"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from math import floor

_MICROS = 1_000_000


@lru_cache(2_048)
def iso(epoch: float) -> str:
    """Epoch seconds as ISO 8601 in UTC with `Z` and microseconds, rounded as `datetime` does.

    The items of a page have one time, and a job's are asked for again and again.
    """
    second = floor(epoch)
    micros = round((epoch - second) * 1e6)
    if micros == _MICROS:
        second, micros = second + 1, 0
    return f"{_second(second)}.{micros:06d}Z"


@lru_cache(256)
def _second(second: int) -> str:
    """Rows that are read together were mostly scraped in the same few seconds."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def iso_of(moment: datetime) -> str:
    """The same for a time in UTC."""
    return f"{moment.isoformat(timespec='microseconds')[:26]}Z"
