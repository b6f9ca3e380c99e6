"""One slice: lease, fetch, extract, commit, until its time is up or the job rests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from random import Random

import structlog

from scrapemaster.crawl.choosing import ChoosingWork
from scrapemaster.crawl.process import PageWork
from scrapemaster.crawl.run import Run
from scrapemaster.crawl.sample import FetchSample
from scrapemaster.crawl.spidering import SpideringWork
from scrapemaster.domain.errors import GiveUpPage, LeaseLost, PostponePage, StoreUnavailable
from scrapemaster.domain.job import Counters
from scrapemaster.domain.outcome import Outcome
from scrapemaster.domain.request import Leased
from scrapemaster.domain.url import host_of
from scrapemaster.domain.worker import Figures
from scrapemaster.ports.engine import RenderingSource, Spidering
from scrapemaster.ports.frontier import Frontier
from scrapemaster.ports.jobs import JobStore

log = structlog.get_logger(__name__)

#: Seconds a lease lasts; renewed at a third of that.
LEASE_SECONDS = 30.0
#: Outcomes that are committed together when pages come fast.
_COMMIT_AT = 250
#: Seconds after which outcomes are committed however few they are.
_COMMIT_AFTER = 0.25
#: Requests leased at once at most, so that a pause or a crash gives back few.
_LEASE_AT_MOST = 500
#: Requests among which a lane looks for one whose host lets it begin now.
_LOOK_PAST = 16
#: Seconds of work to hold leased.
_LEASE_AHEAD = 0.5


class Slice:
    """A time-limited piece of a job's run, the holder of its leases.

    `stop` ends it at once: fetches under way are cancelled and their leases given back; what is
    extracted is still committed. `width` is how many fetches it may have under way; `shared` says that the job may have
    other slices, so that its rate is not this one's. `sample` is told of each page, where there is one. `pages` and `rows` are what it committed,
    `holder` is its name as the holder of leases. `clock` gives epoch seconds.
    """

    def __init__(  # noqa: PLR0917 -- built in one place, by name
        self,
        run: Run,
        holder: str,
        frontier: Frontier,
        jobs: JobStore,
        seconds: float,
        rng: Random,
        width: int,
        figures: Figures,
        *,
        shared: bool = False,
        sample: FetchSample | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.counters = Counters()
        self.pages = 0
        self.rows = 0
        self.lost = False
        self._run = run
        self._job = run.job
        self.holder = holder
        self._frontier = frontier
        self._jobs = jobs
        self._clock = clock
        self._work = PageWork(run, rng, clock)
        self._worker = _worker_for(run, self._work)
        self._deadline = time.monotonic() + seconds
        self._ready: deque[Leased] = deque()
        self._outcomes: list[Outcome] = []
        self._busy = 0
        self._width = width
        self._figures = figures
        self._shared = shared
        self._sample = sample
        self._done: int | None = None
        self._lanes: dict[int, asyncio.Task[None]] = {}
        self._stopping = False
        self._turn = asyncio.Event()
        self._refilled = asyncio.Event()

    def stop(self) -> None:
        """End the slice now."""
        self._stopping = True
        self._turn.set()

    def rate(self, now: float) -> float:
        """Pages a second of late; `now` is monotonic seconds."""
        return self._run.meter.rate(now)

    def resize(self, width: int) -> None:
        """Have `width` fetches under way from now on; those that are too many end when their page is done."""
        if width != self._width and not self._stopping:
            self._width = width
            self._open_lanes()
            self._refilled.set()  # those that wait look again whether they are wanted

    async def work(self) -> None:
        """Run to the end of the slice. On `LeaseLost` sets `lost`; other failures are raised."""
        self._open_lanes()
        renewal = asyncio.create_task(self._renew())
        try:
            await self._feed()
        except LeaseLost:
            self.lost = True
        finally:
            self._stopping = True
            lanes = (*self._lanes.values(), renewal)
            for task in lanes:
                task.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            if not self.lost:
                await self._wind_up()

    async def _feed(self) -> None:
        """Commit what the lanes finish and lease what they need, until there is no more to do."""
        committed_at = time.monotonic()
        while not self._stopping:
            self._turn.clear()
            now = time.monotonic()
            over = now >= self._deadline
            if over:
                self._ready.clear()
            hungry = len(self._ready) < self._low_water()
            due = bool(self._outcomes) and (
                hungry or len(self._outcomes) >= _COMMIT_AT or now - committed_at >= _COMMIT_AFTER
            )
            if due:
                await self._commit()
                committed_at = time.monotonic()
            got = await self._lease() if hungry and not over else 0
            if not (got or due or self._busy or self._ready or self._outcomes):
                return
            if not got and not due:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_COMMIT_AFTER):
                        await self._turn.wait()

    def _low_water(self) -> int:
        """How many ready requests are too few to last until more are leased."""
        return max(self._width, self._lease_size() // 2)

    def _lease_size(self) -> int:
        """How many requests to hold leased: half a second of work."""
        if self._job.config.delay:
            return self._width
        ahead = int(self._run.meter.rate(time.monotonic()) * _LEASE_AHEAD)
        return min(_LEASE_AT_MOST, max(2 * self._width, ahead))

    def _open_lanes(self) -> None:
        for number in range(self._width):
            lane = self._lanes.get(number)
            if lane is None or lane.done():
                self._lanes[number] = asyncio.create_task(self._lane(number))

    async def _lane(self, number: int) -> None:
        """Work on one request after the other, as long as the slice is wide enough."""
        while number < self._width:
            if not self._ready:
                self._refilled.clear()
                self._turn.set()
                await self._refilled.wait()
                continue
            leased, may_begin = self._choose()
            if len(self._ready) < self._width:
                self._turn.set()
            self._busy += 1
            try:
                if not may_begin and await self._postponed(leased):
                    continue
                outcome = await self._worker.work(leased)
            except PostponePage as postponed:
                self._run.waited_for = str(postponed)
                await self._put_back(leased, postponed.until + self._clock() - time.time())
                continue
            except Exception as error:  # noqa: BLE001 -- a fault of ours must fail the page, not the job
                outcome = self._fault(leased, error)
            finally:
                self._busy -= 1
            self._outcomes.append(outcome)
            if self._sample is not None:
                self._sample.saw(outcome)
            if not self._ready or len(self._outcomes) >= _COMMIT_AT:
                self._turn.set()

    def _choose(self) -> tuple[Leased, bool]:
        """The next request whose host lets it begin now, if there is one near by, else the next one; and whether it may begin."""
        ready, now = self._ready, time.monotonic()
        for _ in range(min(len(ready), _LOOK_PAST) - 1):
            if (may_begin := self._may_begin(ready[0], now)) is not False:
                return ready.popleft(), may_begin is True
            ready.rotate(-1)
        return ready.popleft(), False

    def _may_begin(self, leased: Leased, now: float) -> bool | None:
        """None where that cannot be told."""
        try:
            return self._run.source.ready_at(leased.url) <= now
        except Exception:  # noqa: BLE001 -- it is asked again where a fault fails the page, and not the lane
            return None

    async def _postponed(self, leased: Leased) -> bool:
        """Give back a request whose host will not be due in this slice."""
        ready_at = self._run.source.ready_at(leased.url)
        if ready_at <= self._deadline:
            return False
        await self._put_back(leased, self._clock() + ready_at - time.monotonic())
        return True

    async def _put_back(self, leased: Leased, due_at: float) -> None:
        # Where the store is away, the lease ends by itself: the page must not fail for that, and the lane must not end.
        with contextlib.suppress(StoreUnavailable, LeaseLost):
            await self._frontier.release(self._job.id, self.holder, [leased.key], due_at=due_at)

    def _fault(self, leased: Leased, error: Exception) -> Outcome:
        log.error("page.fault", job_id=self._job.id, url=leased.url, exc_info=error)
        return self._work.failure(
            leased, GiveUpPage("internal_error", f"{type(error).__name__} while working on the page")
        )

    async def _lease(self) -> int:
        leased = await self._frontier.lease(
            self._job.id,
            self.holder,
            self._lease_size() - len(self._ready),
            LEASE_SECONDS,
            now=self._clock(),
        )
        if leased:
            self._figures.leases += len(leased)
            self._ready.extend(leased)
            self._refilled.set()
        return len(leased)

    async def _commit(self) -> None:
        batch, self._outcomes = self._outcomes, []
        now = time.monotonic()
        self._run.meter.add(len(batch), now)
        try:
            if self._run.may_widen:
                await self._widen(batch)
            rate = (self._run.pace.rate(now) or None) if self._shared else self._run.meter.rate(now)
            self.counters = await self._frontier.commit(self._job.id, self.holder, batch, rate=rate)
            rows_before = self._figures.rows
            self._figures.committed(batch, time.monotonic() - now)
            self.pages += len(batch)
            self.rows += self._figures.rows - rows_before
            if self._shared:
                self._keep_pace()
        except BaseException as error:
            self._figures.leases_lost += isinstance(error, LeaseLost)
            self._run.links.forget()
            raise

    def _keep_pace(self) -> None:
        """Measure the whole job's rate, other slices' pages included, by its counters."""
        counters = self.counters
        done = counters.fetched + counters.failed + counters.skipped
        if self._done is not None:
            self._run.pace.add(max(0, done - self._done), time.monotonic())
        self._done = done

    async def _widen(self, batch: list[Outcome]) -> None:
        """Remember in the job the hosts that start URLs were redirected to."""
        for outcome in batch:
            if outcome.alias is not None and outcome.request.depth == 0:
                await self._jobs.widen_scope(self._job.id, host_of(outcome.url))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            # Where the store is away it is tried again in time for the next lease or commit, and the work goes on.
            with contextlib.suppress(StoreUnavailable):
                await self._frontier.renew(self._job.id, self.holder, LEASE_SECONDS, now=self._clock())

    async def _wind_up(self) -> None:
        """Commit what was finished, give back the rest."""
        try:
            if self._outcomes:
                await self._commit()
        except LeaseLost:
            self.lost = True
        else:
            await self._frontier.release(self._job.id, self.holder)


def _worker_for(run: Run, work: PageWork) -> PageWork | ChoosingWork | SpideringWork:
    """What works on the run's pages: as its source is, over `work`."""
    if isinstance(run.source, RenderingSource):
        return ChoosingWork(run, run.source, work)
    if isinstance(run.source, Spidering):
        return SpideringWork(run, run.source, work)
    return work
