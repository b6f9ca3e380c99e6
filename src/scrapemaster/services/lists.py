"""Live feeds of a caller's jobs: many watchers, one look at the store for each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import Job, JobStatus
from scrapemaster.ports.jobs import JobQuery
from scrapemaster.ports.store import Store
from scrapemaster.services.feeds import ALIVE_EVERY, LASTS, Alive

#: Seconds between two looks.
LOOK_EVERY = 1.0
#: Looks between two countings, which cost more.
_COUNT_EVERY = 2
#: Running jobs that are told of: the youngest.
_RUNNING_MOST = 100
_DAY = 86_400.0


@dataclass(slots=True, frozen=True)
class Changed:
    """A job runs, or ran at the last look, and has changed."""

    job: Job


@dataclass(slots=True, frozen=True)
class Counted:
    """How many jobs there are in each state, and their rows; sent when that changed."""

    counts: Mapping[str, int]
    items: int


ListEvent = Changed | Counted | Alive


@dataclass(slots=True)
class _Told:
    """What the watchers of one caller are told: the latest state of each job, numbered by change."""

    jobs: dict[JobId, tuple[int, Job]]
    counted: tuple[int, Counted] | None = None
    number: int = 0
    watchers: int = 0
    task: asyncio.Task[None] | None = None


class JobListFeeds:
    """The feeds of a process; `alive_every` and `lasts` are the seconds of `feeds.ALIVE_EVERY` and `feeds.LASTS`."""

    def __init__(self, store: Store, *, alive_every: float = ALIVE_EVERY, lasts: float = LASTS) -> None:
        self._store = store
        self._alive_every = alive_every
        self._lasts = lasts
        self._told: dict[UserId | None, _Told] = {}
        self._turned = asyncio.Event()
        self._closed = False

    @property
    def watching(self) -> int:
        """How many watchers there are."""
        return sum(told.watchers for told in self._told.values())

    def close(self) -> None:
        """End all feeds: their clients come back when the service does."""
        self._closed = True
        self._turn()

    async def follow(self, sees: UserId | None) -> AsyncGenerator[ListEvent]:
        """Counts and changes of the jobs that the caller sees, from now on. Leaving the iterator frees everything."""
        told = self._told.get(sees)
        if told is None:
            told = self._told[sees] = _Told({})
            told.task = asyncio.create_task(self._look_on(sees, told))
        told.watchers += 1
        try:
            async with contextlib.aclosing(self._events(told)) as events:
                async for event in events:
                    yield event
        finally:
            told.watchers -= 1
            if not told.watchers:
                if told.task is not None:
                    told.task.cancel()
                if self._told.get(sees) is told:
                    del self._told[sees]

    async def _events(self, told: _Told) -> AsyncGenerator[ListEvent]:
        seen = -1
        now = time.monotonic()
        ends_at, silent_since = now + self._lasts, now
        while not self._closed and time.monotonic() < ends_at:
            turned = self._turned
            fresh = sorted((number, job) for number, job in told.jobs.values() if number > seen)
            counted = told.counted if told.counted is not None and told.counted[0] > seen else None
            seen = told.number
            for _, job in fresh:
                yield Changed(job)
            if counted is not None:
                yield counted[1]
            if fresh or counted:
                silent_since = time.monotonic()
            try:
                async with asyncio.timeout(
                    max(0.0, min(silent_since + self._alive_every, ends_at) - time.monotonic())
                ):
                    await turned.wait()
            except TimeoutError:
                silent_since = time.monotonic()
                yield Alive()

    def _turn(self) -> None:
        self._turned.set()
        self._turned = asyncio.Event()

    async def _look_on(self, sees: UserId | None, told: _Told) -> None:
        looks = 0
        while True:
            # The next look may succeed; silence is filled with signs of life.
            with contextlib.suppress(StoreError):
                if await self._look(sees, told, count=looks % _COUNT_EVERY == 0):
                    self._turn()
            looks += 1
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, sees: UserId | None, told: _Told, *, count: bool) -> bool:
        query = JobQuery(owner=sees, status=JobStatus.RUNNING, limit=_RUNNING_MOST)
        running, _ = await self._store.jobs.find(query)
        known = {job.id: job for job in running}
        for job_id, (_, job) in list(told.jobs.items()):
            if job_id in known:
                continue
            if job.status is not JobStatus.RUNNING:
                del told.jobs[job_id]  # its end was told at the last look
            elif (ended := await self._store.jobs.get(job_id)) is not None:
                known[job_id] = ended
            else:
                del told.jobs[job_id]
        changed = False
        for job in known.values():
            before = told.jobs.get(job.id)
            if before is None or before[1] != job:
                told.number += 1
                told.jobs[job.id] = (told.number, job)
                changed = True
        if count:
            stats = await self._store.jobs.stats(sees, since=time.time() - _DAY)
            counts = {str(status): stats.status_counts.get(status, 0) for status in JobStatus}
            now = Counted(counts, stats.items_scraped)
            if told.counted is None or told.counted[1] != now:
                told.number += 1
                told.counted = (told.number, now)
                changed = True
        return changed
