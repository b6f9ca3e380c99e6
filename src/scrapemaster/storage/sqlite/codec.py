"""Jobs and users to rows and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from scrapemaster.domain.choices import Choices
from scrapemaster.domain.ids import JobId, ScheduleId
from scrapemaster.domain.job import Counters, EngineName, Job, JobConfig, JobStatus, Priority, StopReason
from scrapemaster.domain.selector import Selector
from scrapemaster.domain.spider import SpiderOrder
from scrapemaster.domain.user import Role, User


class _Spec(msgspec.Struct):
    """What a job was ordered as and never changes, kept as one JSON text: fields of `Job`."""

    selectors: Mapping[str, Selector]
    config: JobConfig
    meta: Mapping[str, Any] = {}
    urls_asked: Sequence[str] = ()
    selectors_asked: Mapping[str, Any] = {}
    config_asked: Mapping[str, Any] = {}
    webhook_url: str | None = None
    webhook_events: Sequence[str] = ()
    retry_of: JobId | None = None
    schedule_id: ScheduleId | None = None
    spider: SpiderOrder | None = None
    traceparent: str | None = None


_SPEC = _Spec.__struct_fields__
#: Orders of up to so many characters are kept as they were read, so many of them: some 10 KB each.
_SHORT_SPEC = 8_192
_SPECS_KEPT = 512
_NO_CHOICES = Choices()

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
    ordered = _ordered(spec) if len(spec) <= _SHORT_SPEC else _read_spec(spec)
    return Job(
        id=id_,
        owner=owner,
        urls=_list_of(urls),
        created_at=created_at,
        engine=EngineName(engine),
        engine_used=engine_used,
        priority=Priority(priority),
        name=name,
        tags=_list_of(tags),
        status=JobStatus(status),
        stop_reason=None if stop_reason is None else StopReason(stop_reason),
        error=error,
        warnings=_list_of(warnings),
        started_at=started_at,
        finished_at=finished_at,
        paused_at=paused_at,
        paused_seconds=paused_seconds,
        scope_hosts=_list_of(scope_hosts),
        progress=progress,
        rate=rate,
        counters=Counters(*row[21:-2]),
        choices=_NO_CHOICES if row[-2] == "{}" else choices_of(row[-2]),
        fill={} if row[-1] == "{}" else json.loads(row[-1]),
        **ordered,
    )


def _read_spec(text: str) -> dict[str, Any]:
    spec = msgspec.convert(json.loads(text), _Spec)
    return {name: getattr(spec, name) for name in _SPEC}


#: Orders never change, and the same ones are read again and again.
_ordered = lru_cache(_SPECS_KEPT)(_read_spec)


def _list_of(text: str) -> Sequence[str]:
    """A JSON list of texts; mostly there is nothing in it."""
    return [] if text == "[]" else json.loads(text)


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
    (id_, username, password_hash, role, created_at, email, disabled, token_epoch, rate_limit) = row
    return User(
        id_, username, password_hash, Role(role), created_at, email, bool(disabled), token_epoch, rate_limit
    )


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
