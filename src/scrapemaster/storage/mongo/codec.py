"""Jobs, ledgers and users to documents and back.

A document of `jobs` is all of a job that changes: its state, and its ledger. What never changes stands in `orders`, as JSON
in bytes, so that nothing a user sends is a key or an operator of the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scrapemaster.domain.choices import Choices
from scrapemaster.domain.job import Job
from scrapemaster.domain.user import User
from scrapemaster.storage.mongo.keys import bytes_of, shown, text_of
from scrapemaster.storage.mongo.ledger import Ledger

#: What a job was ordered as and never changes, kept as JSON.
_SPEC = (
    "urls",
    "name",
    "tags",
    "selectors",
    "config",
    "meta",
    "urls_asked",
    "selectors_asked",
    "config_asked",
    "webhook_url",
    "webhook_events",
    "schedule_id",
    "spider",
    "traceparent",
)
_PLAIN = (
    "owner",
    "created_at",
    "started_at",
    "finished_at",
    "paused_at",
    "paused_seconds",
    "progress",
    "rate",
)
_NAMES = ("engine", "engine_used", "priority", "status", "stop_reason")
#: Bytes of JSON, and characters of text to search in, that one document of `orders` holds: a document has 16 MiB at most.
_PART = 4 * 1024 * 1024

#: The fields of a job's document that `job_of` needs: all but these.
JOB_FIELDS = {"ranks": 0, "holders": 0, "log_counts": 0}


def job_document(job: Job) -> dict[str, Any]:
    """The document of a new job, whose ledger is empty."""
    return {
        "_id": job.id,
        **{name: getattr(job, name) for name in _PLAIN},
        **{name: None if (value := getattr(job, name)) is None else str(value) for name in _NAMES},
        "name": None if job.name is None else shown(job.name),
        "tags": [bytes_of(tag) for tag in job.tags],
        "error": bytes_or_none(job.error),
        "warnings": [bytes_of(text) for text in job.warnings],
        "scope_hosts": [bytes_of(host) for host in job.scope_hosts],
        "max_pages": job.config.max_pages,
        "name_key": bytes_or_none(job.name),
        "retry_of": job.retry_of,
        "schedule_id": job.schedule_id,
        "project": None if job.spider is None else bytes_of(job.spider.project),
        "fill": packed(job.fill),
        "choices": packed(job.choices),
        "announced": 0,
        "announced_at": 0.0,
        **Ledger().document(),
    }


def order_documents(job: Job) -> Iterator[dict[str, Any]]:
    """What never changes of a job, in parts: its JSON, and what `JobQuery.text` is looked for in."""
    spec = _json({name: msgspec.to_builtins(getattr(job, name)) for name in _SPEC}).encode()
    searched = list(_search_parts(job))
    for part in range(max(len(searched), -(-len(spec) // _PART))):
        yield {
            "_id": f"{job.id}/{part:04}",
            "job": job.id,
            "spec": spec[part * _PART : (part + 1) * _PART],
            "text": searched[part] if part < len(searched) else "",
        }


def job_of(document: Mapping[str, Any], spec: bytes) -> Job:
    """The job of a document of `jobs`, and of its JSON."""
    values: Mapping[str, Any] = {
        **json.loads(spec),
        **{name: document[name] for name in (*_PLAIN, *_NAMES, "counters", "retry_of")},
        "id": document["_id"],
        "error": text_or_none(document["error"]),
        "warnings": [text_of(text) for text in document["warnings"]],
        "scope_hosts": [text_of(host) for host in document["scope_hosts"]],
        "fill": unpacked(document["fill"]),
        "choices": choices_of(document),
    }
    return msgspec.convert(values, Job)


def choices_of(document: Mapping[str, Any]) -> Choices:
    """What the `auto` engine chose, of a document of `jobs`; jobs of an older version have none."""
    return msgspec.convert(unpacked(document.get("choices", b"{}")), Choices)


def snapshot_of(job: Job) -> bytes:
    """All of a job as JSON, its state too."""
    return _json(msgspec.to_builtins(job)).encode()


def job_of_snapshot(snapshot: bytes) -> Job:
    """The job that `snapshot_of` wrote down."""
    return msgspec.convert(json.loads(snapshot), Job)


def packed(value: object) -> bytes:
    """Something like JSON, as bytes of it."""
    return _json(msgspec.to_builtins(value)).encode()


def unpacked(data: bytes) -> Any:
    """What `packed` packed."""
    return json.loads(data)


def text_or_none(data: bytes | None) -> str | None:
    """The text of bytes, if any."""
    return None if data is None else text_of(data)


def bytes_or_none(text: str | None) -> bytes | None:
    """The bytes of a text, if any."""
    return None if text is None else bytes_of(text)


def folded(text: str) -> str:
    """Text as it is searched in and for."""
    return shown(text.casefold())


def user_document(user: User) -> dict[str, Any]:
    """The document of a user."""
    return {
        "_id": bytes_of(user.id),
        "name_key": bytes_of(user.name_key),
        "username": bytes_of(user.username),
        "password_hash": user.password_hash,
        "role": str(user.role),
        "created_at": user.created_at,
        "email": bytes_or_none(user.email),
        "disabled": user.disabled,
        "token_epoch": user.token_epoch,
        "rate_limit": user.rate_limit,
    }


def user_of(document: Mapping[str, Any]) -> User:
    """The user of a document."""
    values = {
        **document,
        "id": text_of(document["_id"]),
        "username": text_of(document["username"]),
        "email": text_or_none(document["email"]),
    }
    return msgspec.convert({name: values[name] for name in User.__dataclass_fields__}, User)


def _search_parts(job: Job) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    for line in (job.name or "", *job.urls):
        text = folded(line)
        if lines and size + len(text) > _PART:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(text)
        size += len(text) + 1
    yield "\n".join(lines)


def _json(value: object) -> str:
    # The standard library's writer, unlike faster ones, takes any text a client may send, lone surrogates too.
    return json.dumps(value, separators=(",", ":"))
