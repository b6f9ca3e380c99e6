"""One run of a spider, from its start to the end of its process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

import structlog

from scrapemaster.domain.errors import StoreUnavailable
from scrapemaster.domain.job import TERMINAL, Job, JobStatus
from scrapemaster.ports.store import Store
from scrapemaster.spiders.keeping import LEASE_SECONDS, Keeping
from scrapemaster.spiders.messages import GO_ON, HOLD, STOP, Ended, Line, Page, Standing
from scrapemaster.spiders.process import SpiderProcess

log = structlog.get_logger(__name__)

#: Seconds between commits of what came in, and between looks at the job's state.
_COMMIT_EVERY = 0.25
_LOOK_EVERY = 1.0
#: Pages, and bytes of their items, that may wait to be committed; then the spider waits.
_MOST_PAGES, _MOST_BYTES = 1_000, 16 * 1024 * 1024
#: Lines that may wait to be written; of more, the first are kept.
_MOST_LINES = 500
#: Seconds between the renewals of a lease.
_RENEW_EVERY = LEASE_SECONDS / 3
#: Seconds that a process may take to end after its last message.
_END_SECONDS = 5.0


class Turn(Enum):
    """Why a run is at its end here: the process has ended, the job is over or paused for long, or this worker stops."""

    OVER = auto()
    LEFT = auto()


class Pace(Protocol):
    """The rules that a run keeps to; see `runner.SpiderRules`."""

    @property
    def seconds(self) -> float:
        """For the whole run."""
        ...

    @property
    def stop_seconds(self) -> float:
        """For closing."""
        ...

    @property
    def pause_seconds(self) -> float:
        """For a pause."""
        ...


class Run:
    """Reads what the process tells, has it committed, and passes on what happens to the job.

    `ended` is its last message, if there was one; `out_of_time`: it was stopped because it ran for as long as it may.
    """

    def __init__(
        self,
        store: Store,
        job: Job,
        process: SpiderProcess,
        keeping: Keeping,
        *,
        pace: Pace,
        stopping: asyncio.Event,
        poked: asyncio.Event,
    ) -> None:
        self._store = store
        self._job = job
        self._process = process
        self._keeping = keeping
        self._pace = pace
        self._stopping = stopping
        self._poked = poked
        self._pages: list[Page] = []
        self._bytes = 0
        self._lines: list[Line] = []
        self._room = asyncio.Event()
        self._standing: Standing | None = None
        self._closing_until: float | None = None
        self._paused_since: float | None = None
        self._looked_at = time.monotonic()
        self.ended: Ended | None = None
        self.out_of_time = False

    async def work(self, progress: Callable[[], None]) -> Turn:
        """Work until there is nothing left to do here; raises `LeaseLost`, and `StoreUnavailable` when that lasts."""
        reading = asyncio.create_task(self._read())
        renewing = asyncio.create_task(self._renew())
        try:
            while True:
                await self._wait(reading)
                over = reading.done()
                if not await self._look():
                    return Turn.LEFT
                if self._stopping.is_set():
                    await self._commit()
                    return Turn.LEFT
                await self._commit()
                progress()
                if over and not self._pages:
                    return Turn.OVER
        finally:
            for task in (reading, renewing):
                task.cancel()
            await asyncio.gather(reading, renewing, return_exceptions=True)

    async def end(self) -> int:
        """The exit code of the process, which is given a moment to end by itself after its last message."""
        code = await self._process.ended(_END_SECONDS) if self.ended is not None else None
        return await self._process.end() if code is None else code

    async def _read(self) -> None:
        async for message in self._process.messages():
            if isinstance(message, Page):
                self._pages.append(message)
                self._bytes += sum(map(len, message.items))
                while len(self._pages) >= _MOST_PAGES or self._bytes >= _MOST_BYTES:
                    self._room.clear()
                    await self._room.wait()
            elif isinstance(message, Line):
                if len(self._lines) < _MOST_LINES:
                    self._lines.append(message)
            elif isinstance(message, Standing):
                self._standing = message
            elif isinstance(message, Ended):
                self.ended = message
                return

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY)
            try:
                await self._keeping.renew()
            except StoreUnavailable as error:
                log.warning("spider.not_renewed", job_id=self._job.id, error=str(error))

    async def _wait(self, reading: asyncio.Task[None]) -> None:
        """Until it is time to commit, the process has ended, or something happened to the job."""
        stirred = [asyncio.create_task(event.wait()) for event in (self._poked, self._stopping)]
        try:
            await asyncio.wait(
                [reading, *stirred], timeout=_COMMIT_EVERY, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in stirred:
                task.cancel()
        if reading.done():
            reading.result()
            if self._pages and self._paused_since is not None:
                await asyncio.sleep(_COMMIT_EVERY)

    async def _commit(self) -> None:
        pages, lines = self._pages, self._lines
        self._pages, self._lines = [], []
        try:
            left = await self._keeping.pages(pages, self._progress()) if pages else []
            await self._keeping.lines(lines)
        except StoreUnavailable as error:
            # Nothing is lost: what was committed already is known when it is tried again.
            log.warning("spider.not_committed", job_id=self._job.id, error=str(error))
            left = pages
        self._pages = left + self._pages
        self._bytes = sum(len(item) for page in self._pages for item in page.items)
        self._room.set()

    def _progress(self) -> float:
        standing, most = self._standing, self._job.spider.pages if self._job.spider else None
        if standing is None:
            return 0.0
        known = standing.done + standing.left
        known = known if most is None else max(standing.done, min(known, most))
        return 100.0 * standing.done / known if known else 0.0

    async def _look(self) -> bool:
        """Pass on what happened to the job; False when nothing is left to be done here."""
        now = time.monotonic()
        if self._closing_until is not None and now >= self._closing_until:
            await self._process.end()
        if not self._poked.is_set() and now - self._looked_at < _LOOK_EVERY:
            return True
        self._poked.clear()
        self._looked_at = now
        try:
            job = await self._store.jobs.get(self._job.id)
        except StoreUnavailable:
            return True
        if job is None or job.status in TERMINAL:
            await self._let_close()
            return False
        if job.status is JobStatus.PAUSED:
            return await self._hold(now)
        if self._paused_since is not None:
            self._paused_since = None
            await self._process.order(GO_ON)
        limit = min(self._pace.seconds, job.config.max_duration or self._pace.seconds)
        if self._closing_until is None and job.run_seconds(time.time()) >= limit:
            self.out_of_time = True
            self._closing_until = now + self._pace.stop_seconds
            await self._process.order(STOP)
        return True

    async def _hold(self, now: float) -> bool:
        if self._paused_since is None:
            self._paused_since = now
            await self._process.order(HOLD)
        return now - self._paused_since < self._pace.pause_seconds

    async def _let_close(self) -> None:
        """The job is over: let the spider close in order, and take nothing more of it."""
        await self._process.order(GO_ON)
        await self._process.order(STOP)
        end = time.monotonic() + self._pace.stop_seconds
        while self.ended is None and time.monotonic() < end and not self._stopping.is_set():
            self._pages, self._bytes = [], 0
            self._room.set()
            if await self._process.ended(0.05) is not None:
                return
