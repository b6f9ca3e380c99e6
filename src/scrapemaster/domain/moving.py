"""What is moved from one store to another: records, each kind in an order that the target keeps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec

from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.ids import JobId, ProxyId, UserId
from scrapemaster.domain.job import Job
from scrapemaster.domain.joblog import LogLine
from scrapemaster.domain.proxy import Proxy
from scrapemaster.domain.proxy_health import Health
from scrapemaster.domain.rendering import Artefact
from scrapemaster.domain.schedule import Schedule
from scrapemaster.domain.series import Point
from scrapemaster.domain.spider import ProjectVersion
from scrapemaster.domain.user import User
from scrapemaster.domain.webhook import Delivery, Endpoint, OutboxEvent


class Kind(StrEnum):
    """The kinds of records, in the order they are moved in: those of a job before the job itself, which is then whole."""

    USERS = "users"
    NETWORKS = "networks"
    REVOKED_TOKENS = "revoked tokens"
    API_KEYS = "API keys"
    ORDER_KEYS = "idempotency keys"
    SCHEDULES = "schedules"
    PROXIES = "proxies"
    PROXY_HEALTH = "figures of proxies"
    PROJECTS = "Scrapy projects"
    PROJECT_CHUNKS = "chunks of Scrapy projects"
    ENDPOINTS = "webhook endpoints"
    EVENTS = "webhook events"
    DELIVERIES = "webhook deliveries"
    REQUESTS = "requests"
    ALIASES = "aliases"
    KNOWN = "fingerprints known from other jobs"
    ROWS = "rows"
    LOG = "log lines"
    SERIES = "points of courses"
    PAGE_MARKS = "page marks"
    ARTEFACTS = "artefacts"
    ARTEFACT_CHUNKS = "chunks of artefacts"
    JOBS = "jobs"


#: Kinds that belong to no job.
OF_ALL = tuple(Kind)[: tuple(Kind).index(Kind.REQUESTS)]
#: Kinds that belong to a job, which is last.
OF_A_JOB = tuple(Kind)[len(OF_ALL) :]


@dataclass(slots=True, frozen=True)
class Network:
    """A network that an account signed in from."""

    owner: UserId
    network: str
    at: float


@dataclass(slots=True, frozen=True)
class RevokedToken:
    """A token that is not to be believed until it expires."""

    jti: str
    expires_at: float


@dataclass(slots=True, frozen=True)
class KeptKey:
    """An idempotency key, and the job it made."""

    owner: UserId
    key: str
    body: bytes
    job: JobId
    expires_at: float


@dataclass(slots=True, frozen=True)
class MovedHealth:
    """How a proxy does at a host; with an empty host, the proxy itself."""

    proxy: ProxyId
    host: str
    health: Health


@dataclass(slots=True, frozen=True)
class ProjectChunk:
    """The `part`-th chunk (0, 1, 2 …) of the archive of a version of a project."""

    project: str
    version: str
    part: int
    data: bytes


@dataclass(slots=True, frozen=True)
class MovedJob:
    """A job with what its store notes beside it.

    `compared`: the run that an incremental job is compared with, empty for none; None when it is not incremental. `bad_ends`: how many pages came
    to each verdict and reason, as the log counts them. Its counters have no leases.
    """

    job: Job
    announced: int
    announced_at: float
    compared: str | None
    bad_ends: Sequence[tuple[str, str, int]]


@dataclass(slots=True, frozen=True)
class PageTrouble:
    """What is known of a request that was put back, failed or was skipped; `state` is None while it waits."""

    state: str | None = None
    attempts: int = 0
    interruptions: int = 0
    asked: bool = False
    reason: str = ""
    detail: str = ""
    status: int | None = None
    at: float = 0.0
    evidence: Mapping[str, str] | None = None


@dataclass(slots=True, frozen=True)
class MovedRequest:
    """A known request.

    `priority` is None unless it was never leased; those come last, in the order they are to be leased in. `due_at` is None unless it was put back. With
    neither, and no `trouble`, it is handled.
    """

    fingerprint: bytes
    url: str
    depth: int
    priority: int | None = None
    due_at: float | None = None
    trouble: PageTrouble | None = None


@dataclass(slots=True, frozen=True)
class Alias:
    """Another fingerprint that the page of a request was found under, and that request's own."""

    fingerprint: bytes
    of: bytes


@dataclass(slots=True, frozen=True)
class MovedRow:
    """A row: the `index`-th of the page of a request."""

    seq: int
    fingerprint: bytes
    index: int
    url: str
    data: bytes
    scraped_at: float
    way: str | None = None


@dataclass(slots=True, frozen=True)
class PageMark:
    """What a page of an incremental job yielded, as a hash."""

    fingerprint: bytes
    mark: bytes


@dataclass(slots=True, frozen=True)
class MovedArtefact:
    """An artefact, the `no`-th of its job."""

    no: int
    artefact: Artefact


@dataclass(slots=True, frozen=True)
class ArtefactChunk:
    """The `part`-th chunk (0, 1, 2 …) of the `no`-th artefact of a job."""

    no: int
    part: int
    data: bytes


Record = (
    User
    | Network
    | RevokedToken
    | ApiKey
    | KeptKey
    | Schedule
    | Proxy
    | MovedHealth
    | ProjectVersion
    | ProjectChunk
    | Endpoint
    | OutboxEvent
    | Delivery
    | MovedRequest
    | Alias
    | bytes
    | MovedRow
    | LogLine
    | Point
    | PageMark
    | MovedArtefact
    | ArtefactChunk
    | MovedJob
)


@dataclass(slots=True)
class Tally:
    """How many records there are, and a checksum of them that does not depend on their order."""

    count: int = 0
    checksum: int = 0

    def add(self, records: Iterable[Any]) -> None:
        """Count records in."""
        for record in records:
            # This writer takes any text, lone surrogates too.
            text = json.dumps(msgspec.to_builtins(record), separators=(",", ":"), sort_keys=True)
            digest = blake2b(text.encode(), digest_size=8).digest()
            self.count += 1
            self.checksum = (self.checksum + int.from_bytes(digest)) % 2**64

    def __str__(self) -> str:
        return f"{self.count} ({self.checksum:016x})"
