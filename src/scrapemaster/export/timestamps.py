"""Times as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(epoch: float) -> str:
    """Epoch seconds as ISO 8601 in UTC with `Z` and microseconds."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
