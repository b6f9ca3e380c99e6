"""Schedules: standing orders, and who places them when they are due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import structlog

from scrapemaster.domain.errors import Conflict, InvalidInput, NotFound, StoreError
from scrapemaster.domain.ids import ScheduleId, UserId, new_schedule_id
from scrapemaster.domain.job import EngineName, Job
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.schedule import Claim, Overlap, Schedule
from scrapemaster.ports.engine import Engine
from scrapemaster.ports.queue import Queue
from scrapemaster.ports.store import Store
from scrapemaster.services.hooks import JobHooks
from scrapemaster.services.jobs import JobOrder, check_engine, job_of
from scrapemaster.services.proxies import PoolOrders
from scrapemaster.services.spider_orders import SpiderOrders

log = structlog.get_logger(__name__)

#: Seconds between two looks for schedules that are due.
LOOK_EVERY = 1.0
#: Schedules read at once.
_AT_ONCE = 100
#: Times a change is tried again that met another.
_TRIES = 20
#: What a change may set, and what of that moves the next run.
CHANGEABLE = frozenset({"cron", "timezone", "enabled", "overlap", "name", "job"})
_TIMING = frozenset({"cron", "timezone", "enabled"})


@dataclass(slots=True, frozen=True)
class ScheduleDraft:
    """A schedule as a user asks for it. `job_asked` is the order in the user's own words."""

    cron: str
    job: JobOrder
    timezone: str = "UTC"
    enabled: bool = True
    overlap: Overlap = Overlap.SKIP
    name: str | None = None
    job_asked: Mapping[str, Any] = field(default_factory=dict)


class Orders:
    """Makes the jobs of schedules. `engine_for` raises `InvalidInput` for an engine that is not there."""

    def __init__(
        self,
        engine_for: Callable[[EngineName], Engine],
        hooks: JobHooks,
        pool: PoolOrders,
        spiders: SpiderOrders,
    ) -> None:
        self._engine_for = engine_for
        self._hooks = hooks
        self._pool = pool
        self._spiders = spiders

    async def check(self, order: JobOrder, owner: UserId) -> None:
        """Raise `InvalidInput`, at `job`, if the order makes no job."""
        try:
            order = await self._resolved(order)
            # Off the event loop: hostile selectors may take a second to be refused.
            job, _ = await asyncio.to_thread(job_of, order, owner, 0.0)
            await self._pool.check(job.config)
            self._hooks.check(order.hook)
        except InvalidInput as error:
            raise InvalidInput(str(error), ("job", *error.where)) from None

    async def job_of(self, schedule: Schedule, now: float) -> tuple[Job, list[NewRequest]]:
        """The job that the schedule orders; raises `InvalidInput` if it can no longer be made."""
        order = msgspec.convert(schedule.order, JobOrder)
        order = await self._resolved(order)
        job, seeds = await asyncio.to_thread(job_of, order, schedule.owner, now)
        await self._hooks.attach(job, order.hook)
        return replace(job, schedule_id=schedule.id), seeds

    async def _resolved(self, order: JobOrder) -> JobOrder:
        """The order as of now: a spider's is of the version that is the latest, where it names none."""
        if order.spider is None:
            check_engine(self._engine_for, order)
            return order
        return replace(order, spider=await self._spiders.resolved(order.spider))


class ScheduleService:
    """Use cases of schedules. `sees` is whose the caller may see; None for everybody's. `limit` is how many a user may have."""

    def __init__(self, store: Store, queue: Queue, orders: Orders, limit: int) -> None:
        self._store = store
        self._queue = queue
        self._orders = orders
        self._limit = limit

    async def create(self, draft: ScheduleDraft, owner: UserId) -> Schedule:
        """Store a schedule; raises `InvalidInput`, and `Conflict` when the user has as many as are allowed."""
        await self._orders.check(draft.job, owner)
        now = time.time()
        schedule = Schedule(
            id=new_schedule_id(),
            owner=owner,
            cron=draft.cron,
            timezone=draft.timezone,
            order=msgspec.to_builtins(draft.job),
            order_asked=draft.job_asked,
            created_at=now,
            enabled=draft.enabled,
            overlap=draft.overlap,
            name=draft.name,
        )
        # Both are checked, also where nothing is due because it is not enabled.
        due = replace(schedule, enabled=True).due_after(now)
        schedule = replace(schedule, next_run_at=due if draft.enabled else None)
        await self._store.schedules.add(schedule, limit=self._limit)
        return schedule

    async def get(self, schedule_id: ScheduleId, sees: UserId | None) -> Schedule:
        """The schedule; raises `NotFound`."""
        schedule = await self._store.schedules.get(schedule_id, sees)
        if schedule is None:
            raise NotFound("Schedule not found")
        return schedule

    async def find(self, sees: UserId | None, *, skip: int, limit: int) -> tuple[list[Schedule], int]:
        """One page of schedules, latest first, and how many there are."""
        return await self._store.schedules.find(sees, skip=skip, limit=limit)

    async def change(
        self, schedule_id: ScheduleId, sees: UserId | None, changes: Mapping[str, Any]
    ) -> Schedule:
        """Change what `changes` names (of `CHANGEABLE`, as in a draft, with `job_asked`); raises `InvalidInput`.

        A change of cron, time zone or `enabled` has the next run counted anew from now.
        """
        changes = dict(changes)
        job: JobOrder | None = changes.pop("job", None)
        if job is not None:
            changes |= {"order": msgspec.to_builtins(job), "order_asked": changes.pop("job_asked", {})}
        for _ in range(_TRIES):
            schedule = await self.get(schedule_id, sees)
            if job is not None:
                await self._orders.check(job, schedule.owner)
            changed = replace(schedule, **changes)
            now = time.time()
            if _TIMING & set(changes):
                # Both are checked, also where nothing is due because it is not enabled.
                due = replace(changed, enabled=True).due_after(now)
                changed = replace(changed, next_run_at=due if changed.enabled else None)
            if await self._store.schedules.update(changed):
                return replace(changed, version=schedule.version + 1)
        raise Conflict("the schedule is being changed by others at this moment; try again")

    async def delete(self, schedule_id: ScheduleId, sees: UserId | None) -> None:
        """Remove it; its jobs stay. Raises `NotFound`."""
        await self.get(schedule_id, sees)
        await self._store.schedules.delete(schedule_id)

    async def remove_all_of(self, owner: UserId) -> None:
        """Remove an owner's schedules; their jobs stay."""
        while True:
            schedules, _ = await self._store.schedules.find(owner, limit=100)
            if not schedules:
                return
            for schedule in schedules:
                await self._store.schedules.delete(schedule.id)

    async def run_now(self, schedule_id: ScheduleId, sees: UserId | None) -> Job:
        """Order its job now, enabled or not; the next run stays as it is. Raises `NotFound` and `Conflict`."""
        schedule = await self.get(schedule_id, sees)
        now = time.time()
        try:
            job, seeds = await self._orders.job_of(schedule, now)
        except InvalidInput as error:
            raise Conflict(f"its job can no longer be ordered: {error}") from None
        claim = await self._store.schedules.run(schedule_id, job, seeds, now=now)
        if claim is Claim.LOST:
            raise NotFound("Schedule not found")
        if claim is Claim.SKIPPED:
            raise Conflict("the schedule's last job is not over, and its overlap is skip")
        await self._queue.wake(job.id, job.priority)
        return await self._store.jobs.get(job.id) or job


class Scheduler:
    """Places the orders of schedules that are due. Any number of them may run: the store gives each run to one."""

    def __init__(
        self, store: Store, queue: Queue, orders: Orders, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._queue = queue
        self._orders = orders
        self._clock = clock

    async def run_forever(self) -> None:
        """Look each second; outlives every fault."""
        while True:
            try:
                await self.run_due(self._clock())
            except StoreError as error:
                log.warning("schedules.waiting", error=str(error))
            except Exception:
                log.exception("schedules.failed")
            await asyncio.sleep(LOOK_EVERY)

    async def run_due(self, now: float) -> int:
        """Run what is due at `now`, once however long it is overdue; returns how many jobs that made."""
        made = 0
        while schedules := await self._store.schedules.due(now, limit=_AT_ONCE):
            claims = [await self._run(schedule, now) for schedule in schedules]
            made += sum(claim is Claim.TAKEN for claim in claims)
            if all(claim is Claim.LOST for claim in claims):
                break
        return made

    async def _run(self, schedule: Schedule, now: float) -> Claim:
        job, seeds, error, due = None, list[NewRequest](), None, None
        try:
            due = schedule.due_after(now)
            job, seeds = await self._order(schedule, now)
        except StoreError:
            raise
        except Exception as fault:  # noqa: BLE001 -- one schedule's fault must not hold up the others
            error = f"no job could be made: {fault}"
            log.warning(
                "schedule.failed", schedule_id=schedule.id, error=str(fault), kind=type(fault).__name__
            )
        claim = await self._store.schedules.run(
            schedule.id, job, seeds, now=now, due_at=schedule.next_run_at, next_run_at=due, error=error
        )
        if claim is Claim.TAKEN and job is not None:
            log.info("schedule.ran", schedule_id=schedule.id, job_id=job.id)
            await self._queue.wake(job.id, job.priority)
        return claim if job is not None or claim is Claim.LOST else Claim.SKIPPED

    async def _order(self, schedule: Schedule, now: float) -> tuple[Job, list[NewRequest]]:
        owner = await self._store.users.by_id(schedule.owner)
        if owner is None or owner.disabled:
            raise InvalidInput("its owner's account is disabled")
        return await self._orders.job_of(schedule, now)
