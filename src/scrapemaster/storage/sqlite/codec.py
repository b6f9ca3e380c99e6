"""Jobs and users to rows and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from scrapemaster.domain.choices import Choices
from scrapemaster.domain.job import Counters, Job
from scrapemaster.domain.user import User

#: What a job was ordered as and never changes, kept as one JSON text.
_SPEC = (
    "selectors",
    "config",
    "meta",
    "urls_asked",
    "selectors_asked",
    "config_asked",
    "webhook_url",
    "webhook_events",
    "retry_of",
    "schedule_id",
    "spider",
    "traceparent",
)

JOB_COLUMNS = (
    "j.id, j.owner, j.urls, j.spec, j.created_at, j.engine, j.engine_used, j.priority, j.name, j.tags, "
    "j.status, j.stop_reason, j.error, j.warnings, j.started_at, j.finished_at, j.paused_at, "
    "j.paused_seconds, j.scope_hosts, t.progress, t.rate"
)
COUNTER_NAMES = (
    "discovered",
    "queued",
    "leased",
    "fetched",
    "failed",
    "skipped",
    "attempted",
    "fresh",
    "items",
    "items_failed",
    "bytes",
    "fetch_ms",
    "unchanged",
)
#: After the counters: what the `auto` engine chose, and in how many items each selector had a value, as JSON.
FILL_COLUMN = "t.choices, t.fill"
COUNTER_COLUMNS = ", ".join(f"t.{name}" for name in COUNTER_NAMES)


def spec_of(job: Job) -> str:
    """The immutable part of a job."""
    return _json({name: msgspec.to_builtins(getattr(job, name)) for name in _SPEC})


def job_of(row: sqlite3.Row | tuple[Any, ...]) -> Job:
    """The job in a row of JOB_COLUMNS, COUNTER_COLUMNS and FILL_COLUMN."""
    (id_, owner, urls, spec, created_at, engine, engine_used, priority, name, tags) = row[:10]
    (status, stop_reason, error, warnings, started_at, finished_at, paused_at) = row[10:17]
    (paused_seconds, scope_hosts, progress, rate) = row[17:21]
    values: Mapping[str, Any] = {
        "id": id_,
        "owner": owner,
        "urls": json.loads(urls),
        "created_at": created_at,
        "engine": engine,
        "engine_used": engine_used,
        "priority": priority,
        "name": name,
        "tags": json.loads(tags),
        "status": status,
        "stop_reason": stop_reason,
        "error": error,
        "warnings": json.loads(warnings),
        "started_at": started_at,
        "finished_at": finished_at,
        "paused_at": paused_at,
        "paused_seconds": paused_seconds,
        "scope_hosts": json.loads(scope_hosts),
        "progress": progress,
        "rate": rate,
        "counters": Counters(*row[21:-2]),
        "choices": json.loads(row[-2]),
        "fill": json.loads(row[-1]),
        **json.loads(spec),
    }
    return msgspec.convert(values, Job)


def choices_of(text: str) -> Choices:
    """The choices that `choices_text` wrote."""
    return msgspec.convert(json.loads(text), Choices)


def choices_text(choices: Choices) -> str:
    """Choices as JSON."""
    return _json(msgspec.to_builtins(choices))


def texts(values: object) -> str:
    """A list of texts as JSON."""
    return _json(msgspec.to_builtins(values))


def packed(mapping: Mapping[str, object] | None) -> str | None:
    """A mapping as JSON; None for none."""
    return None if mapping is None else _json(dict(mapping))


def unpacked(text: str | None) -> Any:
    """What `packed` packed."""
    return None if text is None else json.loads(text)


def user_of(row: tuple[Any, ...]) -> User:
    """The user in a row of USER_COLUMNS."""
    return msgspec.convert(dict(zip(USER_FIELDS, row, strict=True)) | {"disabled": bool(row[6])}, User)


USER_FIELDS = (
    "id",
    "username",
    "password_hash",
    "role",
    "created_at",
    "email",
    "disabled",
    "token_epoch",
    "rate_limit",
)
USER_COLUMNS = ", ".join(USER_FIELDS)


def _json(value: object) -> str:
    # The standard library's writer, unlike faster ones, takes any text a client may send, lone surrogates too.
    return json.dumps(value, separators=(",", ":"))
