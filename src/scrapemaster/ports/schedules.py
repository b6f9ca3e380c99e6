"""The port to schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scrapemaster.domain.ids import ScheduleId, UserId
from scrapemaster.domain.job import Job
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.schedule import Claim, Schedule


class ScheduleStore(Protocol):
    """Standing orders. Every write is durable when its call returns."""

    async def add(self, schedule: Schedule, *, limit: int) -> None:
        """Store a new one; raises `Conflict` when its owner has `limit` already, however many are added at once."""

    async def get(self, schedule_id: ScheduleId, owner: UserId | None = None) -> Schedule | None:
        """The schedule; None if there is none, or if it is not `owner`'s (None: anybody's)."""

    async def find(
        self, owner: UserId | None, *, skip: int = 0, limit: int = 50
    ) -> tuple[list[Schedule], int]:
        """One page of the owner's (None: everybody's), latest first, and how many there are in all."""

    async def update(self, schedule: Schedule) -> bool:
        """Replace what a user may change, and `next_run_at`; `version` becomes one higher.

        False, with nothing changed, when the stored `version` is another: somebody changed or ran it in between. Raises
        `NotFound` when it is gone.
        """

    async def delete(self, schedule_id: ScheduleId) -> bool:
        """Remove it; its jobs stay. False when there was none."""

    async def due(self, now: float, *, limit: int) -> list[Schedule]:
        """Enabled ones whose `next_run_at` is not after `now`, the most overdue first; cheap when there is none."""

    async def run(
        self,
        schedule_id: ScheduleId,
        job: Job | None,
        seeds: Sequence[NewRequest] = (),
        *,
        now: float,
        due_at: float | None = None,
        next_run_at: float | None = None,
        error: str | None = None,
    ) -> Claim:
        """Claim a run and store its job, at once or not at all.

        With `due_at`, the run is that one: `LOST`, with nothing changed, when the schedule is gone or `next_run_at` is no longer
        exactly that, because another claimed it or a user changed it; else `next_run_at` is set to the given one. Without,
        it is run by hand: `LOST` only when it is gone, and `next_run_at` stays.
        `SKIPPED` when `overlap` is `skip` and the job `last_job_id` exists and is not over: no job is stored, and `last_error` says so,
        unless run by hand.
        Else `TAKEN`: the job is stored with its start requests as `JobStore.add` does; `last_run_at` becomes `now` (of runs that were
        due, no earlier than `due_at`), `last_job_id` the job's id, `last_error` None. With `job` None there is nothing to order, and
        `last_error` becomes `error`. `version` becomes one higher unless `LOST`.
        """
