"""Jobs, ledgers and users to documents and back.

A document of `jobs` is all of a job that changes: its state, and its ledger. What never changes stands in `orders`, as JSON
in bytes, so that nothing a user sends is a key or an operator of the database.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from scrapemaster.domain.job import Counters, Job
from scrapemaster.domain.user import User
from scrapemaster.storage.mongo.keys import SHIFT, bytes_of, shown, text_of

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
COUNTER_NAMES = tuple(Counters.__dataclass_fields__)
#: Bytes of JSON, and characters of text to search in, that one document of `orders` holds: a document has 16 MiB at most.
_PART = 4 * 1024 * 1024

#: The fields of a job's document that `job_of` and `Ledger.of` need.
JOB_FIELDS = {"ranks": 0, "holders": 0}
LEDGER_FIELDS = dict.fromkeys(
    ("status", "max_pages", "progress", "counters", "ranks", "holders", "waiting", "known"), 1
)


def job_document(job: Job) -> dict[str, Any]:
    """The document of a new job, whose ledger is empty."""
    return {
        "_id": job.id,
        **{name: getattr(job, name) for name in _PLAIN},
        **{name: None if (value := getattr(job, name)) is None else str(value) for name in _NAMES},
        "name": None if job.name is None else shown(job.name),
        "tags": [bytes_of(tag) for tag in job.tags],
        "error": None if job.error is None else bytes_of(job.error),
        "warnings": [bytes_of(text) for text in job.warnings],
        "scope_hosts": [bytes_of(host) for host in job.scope_hosts],
        "max_pages": job.config.max_pages,
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
    error = document["error"]
    values: Mapping[str, Any] = {
        **json.loads(spec),
        **{name: document[name] for name in (*_PLAIN, *_NAMES, "counters")},
        "id": document["_id"],
        "error": None if error is None else text_of(error),
        "warnings": [text_of(text) for text in document["warnings"]],
        "scope_hosts": [text_of(host) for host in document["scope_hosts"]],
    }
    return msgspec.convert(values, Job)


def folded(text: str) -> str:
    """Text as it is searched in and for."""
    return shown(text.casefold())


@dataclass(slots=True)
class Rank:
    """The requests of one priority: numbered 1 to `made`, leased once already up to `taken`."""

    priority: int
    made: int = 0
    taken: int = 0


@dataclass(slots=True)
class Holder:
    """What one holder has leased, until `ends_at`: keys of requests by themselves, and of those that are in `troubled`."""

    name: bytes
    ends_at: float
    plain: set[int] = field(default_factory=set)
    troubled: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Ledger:
    """Who has what of a job's frontier: small enough to be read and written as one.

    A request that was never leased costs no entry, as each rank is taken in order; nor does one that is handled. `waiting` counts the documents of
    `troubled` that may be leased when their time comes, `known` those of `requests`, other names of pages included.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTER_NAMES, 0))
    ranks: list[Rank] = field(default_factory=list)
    holders: list[Holder] = field(default_factory=list)
    waiting: int = 0
    known: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Ledger:
        """The ledger in a job's document."""
        return cls(
            dict(document["counters"]),
            [Rank(*rank) for rank in document["ranks"]],
            [
                Holder(one["name"], one["ends_at"], set(_unpack(one["plain"])), set(_unpack(one["troubled"])))
                for one in document["holders"]
            ],
            document["waiting"],
            document["known"],
        )

    def document(self) -> dict[str, Any]:
        """The fields of a job's document that hold this; holders without leases are left out."""
        return {
            "counters": self.counts,
            "ranks": [[rank.priority, rank.made, rank.taken] for rank in self.ranks],
            "holders": [
                {
                    "name": one.name,
                    "ends_at": one.ends_at,
                    "plain": _pack(one.plain),
                    "troubled": _pack(one.troubled),
                }
                for one in self.holders
                if one.plain or one.troubled
            ],
            "waiting": self.waiting,
            "known": self.known,
        }

    @property
    def counters(self) -> Counters:
        """The counts as a value."""
        return Counters(**self.counts)

    @property
    def queued(self) -> int:
        """Requests that were never leased."""
        return sum(rank.made - rank.taken for rank in self.ranks)

    def holder(self, name: bytes) -> Holder | None:
        """The holder of this name, if it has anything."""
        return next((one for one in self.holders if one.name == name), None)

    def place(self, priority: int) -> int:
        """The key of one more request of this priority."""
        for slot, rank in enumerate(self.ranks):
            if rank.priority == priority:
                rank.made += 1
                return (slot << SHIFT) + rank.made
        self.ranks.append(Rank(priority, made=1))
        return (len(self.ranks) - 1 << SHIFT) + 1

    def lease(self, count: int, fresh: int) -> None:
        """Count requests as leased, of which `fresh` never asked the server; negative: as put back."""
        self.counts["leased"] += count
        self.counts["queued"] -= count
        self.counts["fresh"] += fresh

    def take(self, limit: int) -> Iterator[tuple[int, int]]:
        """Take up to `limit` requests that were never leased, highest priority first.

        They are the ones with keys greater than the first, up to the second number of each pair.
        """
        for slot, rank in sorted(enumerate(self.ranks), key=lambda pair: -pair[1].priority):
            count = min(limit, rank.made - rank.taken)
            if count > 0:
                first = (slot << SHIFT) + rank.taken
                rank.taken += count
                limit -= count
                yield first, first + count


def user_document(user: User) -> dict[str, Any]:
    """The document of a user."""
    return {
        "_id": bytes_of(user.id),
        "name_key": bytes_of(user.name_key),
        "username": bytes_of(user.username),
        "password_hash": user.password_hash,
        "role": str(user.role),
        "created_at": user.created_at,
        "email": None if user.email is None else bytes_of(user.email),
        "disabled": user.disabled,
        "token_epoch": user.token_epoch,
    }


def user_of(document: Mapping[str, Any]) -> User:
    """The user of a document."""
    email = document["email"]
    values = {
        **document,
        "id": text_of(document["_id"]),
        "username": text_of(document["username"]),
        "email": None if email is None else text_of(email),
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


def _pack(keys: set[int]) -> bytes:
    return struct.pack(f"<{len(keys)}Q", *sorted(keys))


def _unpack(data: bytes) -> Sequence[int]:
    return struct.unpack(f"<{len(data) // 8}Q", data)


def _json(value: object) -> str:
    # The standard library's writer, unlike faster ones, takes any text a client may send, lone surrogates too.
    return json.dumps(value, separators=(",", ":"))
