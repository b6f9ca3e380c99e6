"""What writers are given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from scrapemaster.domain.item import Result

#: Gives the same rows anew at each call, in batches; writers that need two passes call it twice.
Rows = Callable[[], AsyncIterator[list[Result]]]


def data_of(row: Result) -> dict[str, Any]:
    """A row's item."""
    data: dict[str, Any] = orjson.loads(row.data)
    return data


def choice_of(row: Result) -> dict[str, str]:
    """The engine that the `auto` engine took for a row's page, and why, as fields; none for the other engines."""
    if row.way is None:
        return {}
    used, _, why = row.way.partition("/")
    return {"engine_used": used, "engine_reason": why}


def flattened(data: dict[str, Any]) -> dict[str, Any]:
    """Nested objects as dotted columns; lists and empty objects stay as they are.

    Where an item has both `{"a.b": 1}` and `{"a": {"b": 2}}`, the later one gets `_` behind its name, so that nothing is lost.
    """
    flat: dict[str, Any] = {}
    _flatten_into(flat, data, "")
    return flat


def _flatten_into(flat: dict[str, Any], data: dict[str, Any], prefix: str) -> None:
    for name, value in data.items():
        column = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            _flatten_into(flat, value, f"{column}.")
            continue
        while column in flat:
            column += "_"
        flat[column] = value
