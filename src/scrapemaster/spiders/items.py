"""Items of any kind as JSON objects."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def encoded(item: Any) -> bytes:
    """The item as JSON.

    Times are ISO 8601, decimals and what else has no kind in JSON are texts, sets are lists, bytes are text where they are UTF-8 and base64
    where not. Raises `TypeError` for what is no object, and for what cannot be written.
    """
    if not isinstance(item, Mapping):
        raise TypeError(f"it is no item but {type(item).__name__}")
    try:
        return orjson.dumps(item, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits and lone surrogates, which the standard library writes.
        return json.dumps(item, default=_plain, allow_nan=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return base64.b64encode(data).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal | dt.timedelta):
        return str(value)
    if isinstance(value, Iterable):
        return list(value)
    return str(value)
