"""Live feeds of jobs: many watchers, one look at the store."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import TERMINAL, Counters, Job, JobStatus, StopReason
from scrapemaster.domain.joblog import LOG_LINES, LogLine
from scrapemaster.ports.store import Store
from scrapemaster.ports.watch import JobWatch

#: Seconds between two looks at a job at least, so that a watcher gets two snapshots a second at most.
LOOK_EVERY = 0.5
#: Seconds between two looks at most, should an event be lost.
_LOOK_AT_LEAST_EVERY = 1.0
#: Seconds of silence after which a sign of life is sent: proxies cut connections that are silent for 30 s or more.
ALIVE_EVERY = 15.0
#: Seconds a feed lasts. The client comes back by itself, and shows again that it may watch.
LASTS = 3_600.0
#: Lines read from the store at once.
_LINES_AT_ONCE = 500


@dataclass(slots=True, frozen=True)
class LogEntry:
    """A line of the log that the watcher has not seen."""

    line: LogLine


@dataclass(slots=True, frozen=True)
class Progress:
    """The job has changed."""

    job: Job


@dataclass(slots=True, frozen=True)
class Items:
    """There are more items."""

    job: Job


@dataclass(slots=True, frozen=True)
class End:
    """The job is over, and all was said; `job` is None when it was deleted."""

    job: Job | None


@dataclass(slots=True, frozen=True)
class Alive:
    """Nothing happened for a while."""


FeedEvent = LogEntry | Progress | Items | End | Alive


class JobFeeds:
    """The feeds of a process. `watching` says how many watchers there are.

    `alive_every` and `lasts` are the seconds of `ALIVE_EVERY` and `LASTS`.
    """

    def __init__(
        self, store: Store, watch: JobWatch, *, alive_every: float = ALIVE_EVERY, lasts: float = LASTS
    ) -> None:
        self._store = store
        self._watch = watch
        self._alive_every = alive_every
        self._lasts = lasts
        self._sources: dict[JobId, _Source] = {}
        self._closed = False

    @property
    def watching(self) -> int:
        """How many watchers there are."""
        return sum(source.watchers for source in self._sources.values())

    def close(self) -> None:
        """End all feeds, without an `End`: their clients come back when the service does."""
        self._closed = True
        for source in self._sources.values():
            source.turn()

    async def follow(self, job_id: JobId, after: int) -> AsyncGenerator[FeedEvent]:
        """What happens to a job from now on, and the log behind line `after`; ends with `End`.

        A slow watcher misses snapshots, never a line that the store still has. Leaving the iterator frees everything.
        Raises `StoreError` when the store fails it at its beginning, or for lines that it alone has not seen.
        """
        source = self._sources.get(job_id)
        if source is None:
            source = self._sources[job_id] = _Source(job_id, self._store, self._watch)
        source.watchers += 1
        try:
            await source.ready()
            async with contextlib.aclosing(self._events(source, min(after, source.seen))) as events:
                async for event in events:
                    yield event
        finally:
            source.watchers -= 1
            if not source.watchers:
                source.stop()
                if self._sources.get(job_id) is source:
                    del self._sources[job_id]

    async def _events(self, source: _Source, after: int) -> AsyncGenerator[FeedEvent]:
        told: _Told | None = None
        items: tuple[int, int] | None = None
        ends_at = time.monotonic() + self._lasts
        while not self._closed and time.monotonic() < ends_at:
            turned = source.turned
            job = source.job
            async for line in source.lines(after):
                after = line.seq
                yield LogEntry(line)
            if job is None:
                yield End(None)
                return
            if (now_told := _told(job)) != told:
                told = now_told
                yield Progress(job)
            if (now_items := (job.counters.items, job.counters.items_failed)) != items:
                items = now_items
                yield Items(job)
            if job.status in TERMINAL:
                yield End(job)
                return
            try:
                async with asyncio.timeout(min(self._alive_every, max(0.0, ends_at - time.monotonic()))):
                    await turned.wait()
            except TimeoutError:
                yield Alive()


_Told = tuple[JobStatus, StopReason | None, float, float, Counters]


def _told(job: Job) -> _Told:
    """What a snapshot tells: two that are equal need not both be sent."""
    return job.status, job.stop_reason, job.progress, job.rate, job.counters


class _Source:
    """One job, looked at for all who watch it."""

    def __init__(self, job_id: JobId, store: Store, watch: JobWatch) -> None:
        self.job: Job | None = None
        self.seen = 0
        self.watchers = 0
        self.turned = asyncio.Event()
        self._id = job_id
        self._store = store
        self._watch = watch
        self._recent: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._first_look: asyncio.Task[None] | None = None
        self._looks: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Wait for the first look; raises what it failed with."""
        if self._first_look is None:
            self._first_look = asyncio.create_task(self._begin())
        # Others wait for it too: who leaves must not end it for them.
        await asyncio.shield(self._first_look)

    def stop(self) -> None:
        """Look no more."""
        for task in (self._first_look, self._looks):
            if task is not None:
                task.cancel()
        self._looks = None

    def turn(self) -> None:
        """Wake all watchers."""
        self.turned.set()
        self.turned = asyncio.Event()

    async def lines(self, after: int) -> AsyncIterator[LogLine]:
        """The lines behind `after` up to the last one seen: of late ones no look at the store is needed."""
        upto = self.seen
        while after < upto:
            if self._recent and self._recent[0].seq <= after + 1:
                found = [line for line in self._recent if line.seq > after]
            else:
                found = await self._store.log.page(self._id, after=after, limit=_LINES_AT_ONCE)
            for line in found:
                if line.seq > upto:
                    return
                yield line
            if not found:
                return
            after = found[-1].seq

    async def _begin(self) -> None:
        self.job = await self._store.jobs.get(self._id)
        self.seen = await self._store.log.last(self._id)
        if self.job is not None and self.job.status not in TERMINAL:
            self._looks = asyncio.create_task(self._look_on())

    async def _look_on(self) -> None:
        while self.job is not None and self.job.status not in TERMINAL:
            began = time.monotonic()
            await self._watch.changed(self._id, _LOOK_AT_LEAST_EVERY)
            await asyncio.sleep(max(0.0, began + LOOK_EVERY - time.monotonic()))
            with contextlib.suppress(
                StoreError
            ):  # the next look may succeed; silence is filled with signs of life
                await self._look()

    async def _look(self) -> None:
        # The job first: when it is over, its log is complete.
        job = await self._store.jobs.get(self._id)
        lines = await self._store.log.page(self._id, after=self.seen, limit=LOG_LINES)
        if job == self.job and not lines:
            return
        self.job = job
        self._recent.extend(lines)
        if lines:
            self.seen = lines[-1].seq
        self.turn()
