"""Orders that are placed once however often they are sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Seconds a key is remembered.
KEY_SECONDS = 86_400.0


@dataclass(slots=True, frozen=True)
class OrderKey:
    """A client's name for one order, unique among its owner's. `body` is `body_hash` of what was ordered."""

    key: str
    body: bytes


def body_hash(body: Mapping[str, Any]) -> bytes:
    """SHA-256 of a JSON object, the same whatever the order of its members and its spelling."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()
