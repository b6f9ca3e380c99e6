"""What writers are given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from scrapemaster.domain.item import Result

#: Gives all rows anew, in batches; writers that need two passes call it twice.
Rows = Callable[[], AsyncIterator[list[Result]]]


def data_of(row: Result) -> dict[str, Any]:
    """A row's item."""
    data: dict[str, Any] = orjson.loads(row.data)
    return data


def flattened(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted columns; lists stay as they are."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict) and value:
            flat.update(flattened(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat
