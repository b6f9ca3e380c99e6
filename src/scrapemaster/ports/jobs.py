"""The port to jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scrapemaster.domain.idempotency import OrderKey
from scrapemaster.domain.ids import JobId, ScheduleId, UserId
from scrapemaster.domain.job import Job, JobStatus, Priority
from scrapemaster.domain.request import NewRequest


@dataclass(slots=True, frozen=True)
class JobQuery:
    """Which jobs to list.

    `owner` None means everybody's; `schedule` is the one that ordered them; `project` is the one whose
    spiders they run, an empty name any; `text` is looked for in name and URLs, case-insensitively and literally. `sort` is a field name of `SORTABLE`, with `-` in front for descending.
    """

    owner: UserId | None = None
    status: JobStatus | None = None
    engine: str | None = None
    priority: Priority | None = None
    tag: str | None = None
    schedule: ScheduleId | None = None
    project: str | None = None
    text: str | None = None
    sort: str = "-created_at"
    skip: int = 0
    limit: int = 50


SORTABLE = frozenset(
    {"created_at", "started_at", "finished_at", "name", "status", "progress", "items_scraped"}
)


@dataclass(slots=True, frozen=True)
class JobStats:
    """Figures over many jobs."""

    status_counts: Mapping[JobStatus, int]
    items_scraped: int
    created_since: int


class JobStore(Protocol):
    """The users' orders.

    Every write is durable when its call returns. Counters, `progress` and `rate` are written by the
    frontier's commits; nothing here changes them but `transition` (progress becomes 100.0 on `completed`).
    """

    async def add(self, job: Job, seeds: Sequence[NewRequest], *, key: OrderKey | None = None) -> JobId:
        """Store a new job with its start requests, at once or not at all; returns its id.

        With a `key`, the key is stored in the same transaction and remembered for `KEY_SECONDS` after the job's
        `created_at`. If the owner used it before then, nothing is stored: for the same body the id of the job it made is
        returned, whoever else asks at the same time; for another body, and when that job was deleted, `Conflict` is
        raised. Keys whose time is over are forgotten as new ones come.

        A job with `config.incremental` is compared with the owner's newest completed incremental job of its name, as of now.
        """

    async def add_retry(self, job: Job, of: JobId) -> int:
        """Store a new job whose requests are the failed pages of `of`, with their depth; returns how many.

        At once or not at all. If the new job follows links, whatever `of` knew is known to it too, so that no page that did not
        fail is fetched again. Raises `Conflict` when no page failed, `NotFound` when `of` is gone.
        """

    async def get(self, job_id: JobId, owner: UserId | None = None) -> Job | None:
        """The job; None if there is none, or if it is not `owner`'s (None: anybody's)."""

    async def find(self, query: JobQuery) -> tuple[list[Job], int]:
        """One page of the matching jobs (ties in order of id), and how many match in all."""

    async def transition(
        self,
        job_id: JobId,
        target: JobStatus,
        *,
        now: float,
        only_from: JobStatus | None = None,
        if_idle: bool = False,
        **changes: Any,
    ) -> Job | None:
        """Move a job to `target` if the state machine allows it from where it is now, atomically.

        Returns the job after it; None when the job is gone or may not go there (also when it is there already), or is not `only_from`.
        With `if_idle` also None when `Frontier.next_due` is not: work came in since it was asked.
        Sets `started_at` on the first `running`; `paused_at` on `paused`; adds to `paused_seconds` on
        leaving `paused`; `finished_at` on a terminal status, where every lease of the job is dropped too, so
        that late commits are refused. On leaving `running` `rate` becomes 0. `changes` may set `stop_reason`, `error`, `engine_used`.
        In the same write the event that the move is (`webhook.event_of`), with the job as it is after it, goes into the outbox (`WebhookStore.events`);
        before it, where the job is paused or ends, an `item.batch` of its rows not announced yet. An event that no enabled endpoint waits for may be left out.
        """

    async def warn(self, job_id: JobId, warnings: Sequence[str]) -> None:
        """Append the warnings that the job does not have yet."""

    async def widen_scope(self, job_id: JobId, host: str) -> None:
        """Add a host to `scope_hosts`; twice is no error."""

    async def delete(self, job_id: JobId) -> bool:
        """Remove a job, its requests and its results; False when there was none."""

    async def delete_of(self, owner: UserId) -> int:
        """Remove all jobs of an owner as `delete` does, whatever they do now; how many they were. Leases end with them."""

    async def unfinished(self) -> list[tuple[JobId, Priority]]:
        """Jobs that are pending or running, oldest first."""

    async def previous(self, job: Job) -> Job | None:
        """The run to compare a job with: the newest other completed job of its owner with its name, created no later.

        None when there is none, or when the job has no name. Incremental runs have only what is new, and are passed over. Retries are compared with nothing: they have the pages
        that failed and no others.
        """

    async def stats(self, owner: UserId | None, *, since: float) -> JobStats:
        """Figures over the owner's jobs (None: all); `created_since` counts those created at or after `since`."""
