"""The user's order, its state, and the rules by which the state changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scrapemaster.domain.choices import Choices
from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import JobId, ScheduleId, UserId
from scrapemaster.domain.rendering import Rendering
from scrapemaster.domain.selector import Selector
from scrapemaster.domain.spider import SpiderOrder


class JobStatus(StrEnum):
    """The life of a job: see `TRANSITIONS`."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StopReason(StrEnum):
    """Why a job is over."""

    FINISHED = "finished"
    MAX_PAGES = "max_pages"
    MAX_DURATION = "max_duration"
    CANCELLED_BY_USER = "cancelled_by_user"
    ALL_PAGES_FAILED = "all_pages_failed"
    BLOCKED = "blocked"
    ROBOTS_DENIED = "robots_denied"
    PROXIES_EXHAUSTED = "proxies_exhausted"
    INTERNAL_ERROR = "internal_error"


class Priority(StrEnum):
    """Who goes first when workers are busy."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class EngineName(StrEnum):
    """Who drives the pages."""

    AUTO = "auto"
    HTTP = "http"
    SCRAPY = "scrapy"
    BROWSER = "browser"


#: From each status, the statuses a job may go to. Terminal ones go nowhere.
TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset(
        {JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.CANCELLED, JobStatus.FAILED}
    ),
    JobStatus.RUNNING: frozenset(
        {JobStatus.PAUSED, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
    ),
    JobStatus.PAUSED: frozenset(
        {JobStatus.PENDING, JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.FAILED}
    ),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}

TERMINAL = frozenset(status for status, onward in TRANSITIONS.items() if not onward)
UNFINISHED = frozenset({JobStatus.PENDING, JobStatus.RUNNING})


def may_go(source: JobStatus, target: JobStatus) -> bool:
    """Whether a job may go from `source` to `target`."""
    return target in TRANSITIONS[source]


def sources_of(target: JobStatus) -> frozenset[JobStatus]:
    """The statuses from which a job may come to `target`."""
    return frozenset(source for source, onward in TRANSITIONS.items() if target in onward)


def check_transition(source: JobStatus, target: JobStatus) -> None:
    """Raise `Conflict`, with a sentence, unless the job may go there."""
    if not may_go(source, target):
        raise Conflict(f"a job that is {source} cannot become {target}")


@dataclass(slots=True, frozen=True)
class JobConfig:
    """How a job crawls. The public schema (`api.schemas`) bounds and documents each value.

    `None` in `max_depth`, `max_duration` means no limit; in `allowed_domains`, the start URLs' hosts; in `adaptive_throttle`, what
    the engine does by itself. Times are in seconds.
    """

    max_pages: int = 1
    follow_links: bool = False
    max_depth: int | None = None
    allowed_domains: Sequence[str] | None = None
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    item: str | None = None
    concurrency: int = 8
    delay: float = 0.0
    respect_robots: bool = True
    timeout: float = 30.0
    max_retries: int = 3
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    user_agent: str | None = None
    impersonate: str | None = None
    proxy: str = "none"
    max_duration: float | None = None
    max_body_bytes: int = 10 * 1024 * 1024
    sitemap: bool = False
    sort_query: bool = False
    verify_tls: bool = True
    browser: Rendering = field(default_factory=Rendering)
    formats: Sequence[str] = ("data",)
    incremental: bool = False
    adaptive_throttle: bool | None = None
    scrapy_settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Counters:
    """A job's figures; in the store they change only together with the marks they count.

    `discovered` counts the frontier's requests (aliases of redirects are not requests); `fetched`
    the handled ones, `failed` and `skipped` those so marked; `queued` and `leased` are what is
    left. `unchanged` are the handled ones whose rows an incremental job left out. `fetch_ms` are the milliseconds spent asking servers. `attempted` are those that count against `max_pages`: requests that asked the server at
    least once, over or waiting to be tried again. `fresh` are the leased ones not among them.
    """

    discovered: int = 0
    queued: int = 0
    leased: int = 0
    fetched: int = 0
    failed: int = 0
    skipped: int = 0
    attempted: int = 0
    fresh: int = 0
    items: int = 0
    items_failed: int = 0
    bytes: int = 0
    fetch_ms: int = 0
    unchanged: int = 0


@dataclass(slots=True, frozen=True)
class Job:
    """An order and its state. Times are epoch seconds.

    `progress` (0–100) never falls. `rate` is the pages a second of late. `paused_seconds` is the time spent paused so far,
    `scope_hosts` the hosts that a start URL was redirected to. `urls` are normal; `urls_asked` are as the user spelt them, where
    that differs. `retry_of` is the job whose failed pages this one fetches again, `schedule_id` the schedule that ordered it.
    `fill`: in how many of the items each selector had a value,
    by its dotted name; without those that never had one. `choices`: what the `auto` engine chose and learnt. `traceparent` names what ordered it to who traces, where anybody does. `spider`: what runs in the place of an engine.
    """

    id: JobId
    owner: UserId
    urls: Sequence[str]
    selectors: Mapping[str, Selector]
    config: JobConfig
    created_at: float
    engine: EngineName = EngineName.AUTO
    engine_used: str | None = None
    priority: Priority = Priority.NORMAL
    name: str | None = None
    tags: Sequence[str] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    status: JobStatus = JobStatus.PENDING
    stop_reason: StopReason | None = None
    error: str | None = None
    warnings: Sequence[str] = ()
    counters: Counters = Counters()
    progress: float = 0.0
    rate: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    paused_at: float | None = None
    paused_seconds: float = 0.0
    scope_hosts: Sequence[str] = ()
    urls_asked: Sequence[str] = ()
    selectors_asked: Mapping[str, Any] = field(default_factory=dict)
    config_asked: Mapping[str, Any] = field(default_factory=dict)
    webhook_url: str | None = None
    webhook_events: Sequence[str] = ()
    retry_of: JobId | None = None
    schedule_id: ScheduleId | None = None
    fill: Mapping[str, int] = field(default_factory=dict)
    spider: SpiderOrder | None = None
    choices: Choices = field(default_factory=Choices)
    traceparent: str | None = None

    @property
    def fetched_by(self) -> str | None:
        """Who fetched: the engine, or of `auto` those that pages came from, `http`, `browser` or `http+browser`; None before there is one."""
        if self.engine_used == EngineName.AUTO:
            return self.choices.engines
        return self.engine_used

    @property
    def adaptive(self) -> bool:
        """Whether the job asks a host for as much at once as that answers well; by itself, `auto` does."""
        asked = self.config.adaptive_throttle
        return self.engine is EngineName.AUTO if asked is None else asked

    def run_seconds(self, now: float) -> float:
        """Seconds since the start that were not spent paused."""
        if self.started_at is None:
            return 0.0
        end = self.finished_at or self.paused_at or now
        return max(0.0, end - self.started_at - self.paused_seconds)

    def eta_seconds(self) -> float | None:
        """Seconds to the end at the present rate; None when that cannot be said."""
        if self.status is not JobStatus.RUNNING or self.rate <= 0 or self.spider is not None:
            return None
        counters = self.counters
        left = counters.queued + counters.leased
        if self.config.follow_links:
            left = min(left, max(0, self.config.max_pages - counters.attempted))
        return round(left / self.rate, 1)


def progress_of(counters: Counters, max_pages: int, before: float = 0.0) -> float:
    """How far a running job is, in percent with one decimal; never less than `before`, never 100.

    Done pages over known pages, where no more than `max_pages` are ever done.
    """
    done = counters.fetched + counters.failed
    known = min(done + counters.queued + counters.leased, max(max_pages, done))
    ratio = 100.0 * done / known if known else 0.0
    return max(before, min(99.9, int(ratio * 10) / 10))


def risen(before: float, percent: float) -> float:
    """How far a running job is, in percent with one decimal, by one who knows; never less than `before`, never 100."""
    return max(before, min(99.9, int(percent * 10) / 10))


def budget_left(counters: Counters, max_pages: int) -> int:
    """How many more requests that never asked the server may be leased."""
    return max(0, max_pages - counters.attempted - counters.fresh)


def ending_of(counters: Counters, max_pages: int, reasons: Mapping[str, int]) -> tuple[JobStatus, StopReason]:
    """How a job ends whose frontier has nothing left to work on.

    `reasons` counts the failed and skipped pages by reason code. A job that fetched nothing is failed:
    `robots_denied` when that was so for all of its pages, `blocked` when all were block pages or challenges, else
    `all_pages_failed`. One that lacked proxies for some page is `proxies_exhausted`, whatever else was fetched.
    """
    if reasons.get("proxies_exhausted"):
        status = JobStatus.COMPLETED if counters.fetched else JobStatus.FAILED
        return status, StopReason.PROXIES_EXHAUSTED
    if counters.fetched == 0:
        if reasons and set(reasons) <= {"robots_denied"}:
            return JobStatus.FAILED, StopReason.ROBOTS_DENIED
        if reasons and set(reasons) <= {"blocked", "challenge"}:
            return JobStatus.FAILED, StopReason.BLOCKED
        if counters.failed or counters.skipped:
            return JobStatus.FAILED, StopReason.ALL_PAGES_FAILED
    if counters.queued and counters.attempted >= max_pages:
        return JobStatus.COMPLETED, StopReason.MAX_PAGES
    return JobStatus.COMPLETED, StopReason.FINISHED
