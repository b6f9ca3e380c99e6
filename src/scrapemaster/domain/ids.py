"""Identifiers that sort by creation time."""

from __future__ import annotations

import os
import time
from typing import NewType

JobId = NewType("JobId", str)
UserId = NewType("UserId", str)
ApiKeyId = NewType("ApiKeyId", str)
ScheduleId = NewType("ScheduleId", str)
ProxyId = NewType("ProxyId", str)
ArtefactId = NewType("ArtefactId", str)


def uuid7(now: float | None = None) -> str:
    """A UUID version 7 as text (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"  # a `uuid.UUID` would take ten times as long, and each request has an id
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_job_id() -> JobId:
    """A fresh job id."""
    return JobId(uuid7())


def new_user_id() -> UserId:
    """A fresh user id."""
    return UserId(uuid7())


def new_api_key_id() -> ApiKeyId:
    """A fresh id of an API key."""
    return ApiKeyId(uuid7())


def new_schedule_id() -> ScheduleId:
    """A fresh schedule id."""
    return ScheduleId(uuid7())


def new_proxy_id() -> ProxyId:
    """A fresh id of a proxy."""
    return ProxyId(uuid7())
