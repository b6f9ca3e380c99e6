"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(epoch: float) -> str:
    """Epoch seconds as ISO 8601 in UTC with `Z` and microseconds."""
    return iso_of(datetime.fromtimestamp(epoch, UTC))


def iso_of(moment: datetime) -> str:
    """The same for a time in UTC."""
    return f"{moment.isoformat(timespec='microseconds')[:26]}Z"
