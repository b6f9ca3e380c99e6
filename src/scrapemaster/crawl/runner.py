"""Runs slices of jobs and moves the jobs from state to state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

import structlog

from scrapemaster.crawl.debts import Debts
from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.keeper import Keeper
from scrapemaster.crawl.recorder import NoRecorder, Recorder
from scrapemaster.crawl.run import Run, Runs
from scrapemaster.crawl.sample import FetchSample
from scrapemaster.crawl.seat import Seat
from scrapemaster.crawl.slice import Slice
from scrapemaster.crawl.warnings import exhausted_error, link_warnings, warnings_of
from scrapemaster.domain.errors import StoreFull, StoreUnavailable, UserError
from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.ids import JobId, uuid7
from scrapemaster.domain.job import (
    TERMINAL,
    UNFINISHED,
    EngineName,
    Job,
    JobStatus,
    StopReason,
    ending_of,
)
from scrapemaster.domain.quality import Harvest, quality_warnings
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.selector import names_of
from scrapemaster.domain.url import origin_of
from scrapemaster.domain.worker import Figures
from scrapemaster.ports.engine import Engine
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.reserve import NoReserve, Reserve
from scrapemaster.ports.spiders import SpiderRuns
from scrapemaster.ports.spread import Spread
from scrapemaster.ports.store import Store
from scrapemaster.ports.tracing import Fact, NoTracer, Tracer, Work

log = structlog.get_logger(__name__)

#: Seconds a slice may take on new work.
SLICE_SECONDS = 10.0
#: Seconds a slice may take when more jobs wait than there are places.
_SHORT_SLICE_SECONDS = 1.0
#: Seconds between looks at the job's state in the store, should a wake-up be lost.
_LOOK_EVERY = 1.0
#: Seconds that a site's sitemaps may take, and the most pages taken from them.
_SITEMAP_SECONDS = 120.0
_SITEMAP_PAGES = 1_000_000
#: Seconds between events that tell of a slice's progress.
_PROGRESS_EVENT_EVERY = 0.5
#: Seconds between looks whether a job's first pages led to more, for the fleet's other workers.
_SUMMON_AFTER = 0.05
#: Seconds after which a resting job is looked at again, whatever the store said; the second for one on which other slices work.
_LONGEST_REST = 30.0
_SHARED_REST = 1.0
#: Seconds after which a slice that came to a worker with one of the same job is offered again, to whichever worker takes it then.
_ELSEWHERE_AFTER = 0.25

#: Seconds of a job's run whose slices are in the trace of the order. A trace that grows for days can neither be kept nor read.
JOINED_SECONDS = 60.0

_EVENT_OF = {
    JobStatus.COMPLETED: EventType.JOB_COMPLETED,
    JobStatus.FAILED: EventType.JOB_FAILED,
    JobStatus.CANCELLED: EventType.JOB_CANCELLED,
}


class SliceRunner:
    """Runs one slice at a time for each job it is given.

    `engine_for` gives the engine for the asked name, or raises a `UserError` that says why there is none. `worker` is the name that its
    leases' holders begin with, in a fleet: one that no other worker has. `artefact_bytes` is what the artefacts of one job may have together.
    `clock` gives epoch seconds, `reserve` is the space on the store's disk that is kept for writing down that there is none. `debts` are leases to be given back.
    `spiders` runs the jobs of spiders.
    """

    def __init__(
        self,
        store: Store,
        engine_for: Callable[[EngineName], Engine],
        events: EventSink,
        isolation: Isolation,
        *,
        recorder: Recorder | None = None,
        worker: str | None = None,
        rng: Random | None = None,
        artefact_bytes: int = 1024**3,
        tracer: Tracer | None = None,
        clock: Callable[[], float] = time.time,
        reserve: Reserve | None = None,
        spiders: SpiderRuns | None = None,
    ) -> None:
        self._store = store
        self._engine_for = engine_for
        self._events = events
        self._isolation = isolation
        self._recorder = recorder or NoRecorder()
        self._worker = worker
        self._rng = rng or Random()  # noqa: S311 -- jitter, not secrets
        self._keeper = Keeper(store, artefact_bytes)
        self._tracer = tracer or NoTracer()
        self._clock = clock
        self._reserve = reserve or NoReserve()
        self.debts = Debts(store.frontier)
        self._full: str | None = None
        self._spiders = spiders
        self._runs = Runs()
        self.figures = Figures()
        self._slices: dict[JobId, Slice] = {}
        self._stopping = False
        self._poked: dict[JobId, asyncio.Event] = {}

    def poke(self, job_id: JobId) -> bool:
        """Have a slice under way look at its job's state; False if none is under way here."""
        poked = self._poked.get(job_id)
        if poked is None:
            return False
        poked.set()
        return True

    async def run(
        self,
        job_id: JobId,
        *,
        crowded: bool = False,
        number: int = 0,
        spread: Spread | None = None,
        order: str | None = None,
    ) -> float | None:
        """Run a slice. Returns the seconds until the next one is wanted, or None when none is.

        `crowded`: others wait for the place, so be brief. `number` and `spread`: the slice's place among the job's slices, in a fleet.
        Of those, one runs here at a time. `order`: the traceparent of what ordered the job, if that is known.
        """
        if job_id in self._poked:
            return None if spread is None else _ELSEWHERE_AFTER
        if self._stopping:
            return None
        self._poked[job_id] = asyncio.Event()
        seat = Seat(number, spread, order)
        try:
            if self._full is not None and not self._reserve.keep():
                return await self._rest(job_id, self._full)
            self._full = None
            return await self._run(job_id, seat, _SHORT_SLICE_SECONDS if crowded else SLICE_SECONDS)
        except StoreFull as error:
            self._full = str(error)
            for part in self._slices.values():
                part.stop()  # what was kept in reserve is for pausing their jobs, too
            self._reserve.give()
            return await self._rest(job_id, self._full)
        except StoreUnavailable as error:
            log.warning("slice.store_unavailable", job_id=job_id, error=str(error))
            return 1.0
        finally:
            del self._poked[job_id]

    def stop(self) -> None:
        """End all slices at once, and start no more."""
        self._stopping = True
        if self._spiders is not None:
            self._spiders.stop()
        for part in self._slices.values():
            part.stop()

    @property
    def slices(self) -> int:
        """How many slices are under way, the runs of spiders among them."""
        return len(self._slices) + (self._spiders.running if self._spiders else 0)

    def pages_per_second(self) -> float:
        """How fast all of them go together."""
        now = time.monotonic()
        return round(sum(part.rate(now) for part in self._slices.values()), 1)

    async def close(self) -> None:
        """Free what is kept between slices."""
        await self.debts.close()
        await self._runs.close()
        if self._spiders is not None:
            await self._spiders.close()

    async def _run(self, job_id: JobId, seat: Seat, seconds: float) -> float | None:
        job = await self._store.jobs.get(job_id)
        if job is None:
            return None
        if job.spider is not None:
            return await self._run_spider(job, seat)
        if job.status is JobStatus.PENDING:
            job = await self._start(job)
        if job is None or job.status is not JobStatus.RUNNING:
            return None
        if seat.width(job) == 0:
            return None
        run = self._runs.take(job_id)
        if run is None:
            try:
                run = self._open(job, self._engine_for(job.engine))
            except UserError as error:  # what was allowed, or installed, when it began is not any more
                await self._end(job.id, JobStatus.FAILED, StopReason.INTERNAL_ERROR, str(error))
                return None
        if seat.order is None:
            # Who queued it knew nothing of who ordered it.
            seat = replace(seat, order=job.traceparent)
        run.heed(job)
        try:
            again = await self._slice(job, run, seat, seconds)
        except BaseException:
            await run.close()
            raise
        if again is None:
            await run.close()
        else:
            await self._runs.put_back(job_id, run)
        return again

    async def _run_spider(self, job: Job, seat: Seat) -> float | None:
        """A spider runs in one place, for as long as it takes."""
        if job.status not in UNFINISHED or seat.number or self._spiders is None:
            return None
        return await self._spiders.run(job, self._poked[job.id])

    def _open(self, job: Job, engine: Engine) -> Run:
        return Run(job, engine, self._isolation, self._recorder, self._keeper)

    async def _start(self, job: Job) -> Job | None:
        """Take a pending job up: an engine, the sitemap if asked for, then `running`."""
        try:
            engine = self._engine_for(job.engine)
            run = self._open(job, engine)
        except UserError as error:
            await self._end(job.id, JobStatus.FAILED, StopReason.INTERNAL_ERROR, str(error))
            return None
        # Before the job runs, so that a crash here repeats it: adding is idempotent.
        if job.config.sitemap and job.retry_of is None:
            await self._add_sitemap(job, run)
        started = await self._store.jobs.transition(
            job.id,
            JobStatus.RUNNING,
            now=self._clock(),
            only_from=JobStatus.PENDING,  # a user may have paused it since
            engine_used=engine.name,
        )
        if started is None:
            await run.close()
            return None
        self._tell(EventType.JOB_STARTED, job.id)
        await self._runs.put_back(job.id, run)
        return started

    async def _add_sitemap(self, job: Job, run: Run) -> None:
        for url in {origin_of(url): url for url in job.urls}.values():
            try:
                async with asyncio.timeout(_SITEMAP_SECONDS):
                    pages = await run.source.sitemap_urls(url, min(_SITEMAP_PAGES, 10 * job.config.max_pages))
            except TimeoutError:
                warning = f"the sitemap of {origin_of(url)} was not read: it took too long"
                await self._store.jobs.warn(job.id, [warning])
                continue
            scope = run.links.scope
            requests = [
                NewRequest.of(page, 1, sort_query=job.config.sort_query)
                for page in pages
                if scope.covers(page)
            ]
            await self._store.frontier.add(job.id, requests)

    async def _slice(self, job: Job, run: Run, seat: Seat, seconds: float) -> float | None:
        now = self._clock()
        left = None
        if job.config.max_duration is not None:
            left = job.config.max_duration - job.run_seconds(now)
            if left <= 0:
                await self._end(job.id, JobStatus.COMPLETED, StopReason.MAX_DURATION)
                return None
            seconds = min(seconds, left)
        joins = job.run_seconds(now) < JOINED_SECONDS
        facts: dict[str, Fact] = {
            "scrapemaster.job_id": job.id,
            "scrapemaster.slice": seat.number,
            "scrapemaster.engine": run.engine_name,
        }
        with self._tracer.span(
            Work.SLICE,
            "slice",
            facts,
            within=seat.order if joins else None,
            follows=None if joins else seat.order,
        ) as span:
            part = self._cut(job, run, seat, seconds, FetchSample(span) if span.recording else None)
            try:
                await self._work(run, part, seat, left)
            finally:
                if span.recording:
                    span.tell({"scrapemaster.pages": part.pages, "scrapemaster.rows": part.rows})
                    if part.lost:
                        span.fail("lease_lost")
        self._reserve.keep()
        self._tell(EventType.JOB_PROGRESS, job.id)
        if warnings := link_warnings(run):
            await self._warn_once(run, warnings)
        return None if self._stopping else await self._after(job, seat)

    def _cut(self, job: Job, run: Run, seat: Seat, seconds: float, sample: FetchSample | None) -> Slice:
        return Slice(
            run,
            uuid7() if self._worker is None else f"{self._worker}/{uuid7()}",
            self._store.frontier,
            self._store.jobs,
            seconds,
            self._rng,
            seat.width(job),
            self.figures,
            shared=seat.spread is not None,
            sample=sample,
            clock=self._clock,
        )

    async def _work(self, run: Run, part: Slice, seat: Seat, left: float | None) -> None:
        job_id = run.job.id
        self._slices[job_id] = part
        self.figures.slices += 1
        watch = asyncio.create_task(self._watch(run, part, seat, left))
        run.meter.restart(time.monotonic())
        run.pace.restart(time.monotonic())
        try:
            await part.work()
        except StoreUnavailable:
            self.debts.add(job_id, part.holder)
            raise
        finally:
            del self._slices[job_id]
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _warn_once(self, run: Run, warnings: list[str]) -> None:
        """Warn of what was not warned of; another process may have met another first trap, which tells nothing new."""
        fresh = [warning for warning in warnings if warning[:40] not in run.warned]
        run.warned.update(warning[:40] for warning in fresh)
        known = {warning[:40] for warning in run.job.warnings}
        await self._store.jobs.warn(run.job.id, [warning for warning in fresh if warning[:40] not in known])

    async def _watch(self, run: Run, part: Slice, seat: Seat, left: float | None) -> None:
        """Stop the slice when its job is no longer running, or its time is over; tell of progress."""
        job_id = run.job.id
        poked = self._poked[job_id]
        ends_at = None if left is None else time.monotonic() + left
        looked_at = told_at = time.monotonic()
        joined = seat.spread is None
        while True:
            # Others join in as soon as there is something for them, not at the next look.
            wait = _PROGRESS_EVENT_EVERY if joined else _SUMMON_AFTER
            if ends_at is not None:
                wait = min(wait, max(0.0, ends_at - time.monotonic()))
            was_poked = await _wait(poked, wait)
            now = time.monotonic()
            if ends_at is not None and now >= ends_at:
                part.stop()
                return
            looks = was_poked or now - looked_at >= _LOOK_EVERY
            if looks:
                looked_at = now
                if not await self._still_running(run):
                    part.stop()
                    return
            if looks or not joined:
                joined = seat.adjust(run.job, part)
            if now - told_at >= _PROGRESS_EVENT_EVERY:
                told_at = now
                self._tell(EventType.JOB_PROGRESS, job_id)

    async def _still_running(self, run: Run) -> bool:
        try:
            job = await self._store.jobs.get(run.job.id)
        except StoreUnavailable:
            return True
        if job is None or job.status is not JobStatus.RUNNING:
            return False
        run.heed(job)
        return True

    async def _after(self, job: Job, seat: Seat) -> float | None:
        """Whether the job is over, and if not, when to go on."""
        current = await self._store.jobs.get(job.id)
        if current is None or current.status in TERMINAL:
            return None
        if current.status is not JobStatus.RUNNING:
            return None
        now = self._clock()
        limit = job.config.max_duration
        if limit is not None and current.run_seconds(now) >= limit:
            await self._end(job.id, JobStatus.COMPLETED, StopReason.MAX_DURATION)
            return None
        due = await self._store.frontier.next_due(job.id)
        if due is not None:
            wait = max(0.0, due - now)
            if seat.number:
                # The leading slice summons it again when there is more.
                return None if wait else 0.0
            return min(wait, _SHARED_REST if seat.spread and current.counters.leased else _LONGEST_REST)
        # None too when a retry put pages back since we asked.
        return None if await self._finish(current) else 0.0

    async def _finish(self, job: Job) -> bool:
        """End a job that has nothing left to do; False when it has after all, or is gone."""
        counters = await self._store.frontier.recount(job.id)
        reasons = await self._store.frontier.reasons(job.id)
        status, reason = ending_of(counters, job.config.max_pages, reasons)
        await self._store.jobs.warn(
            job.id, [*warnings_of(counters, status), *await self._quality(job, status)]
        )
        error = None
        if status is JobStatus.FAILED:
            worst = ", ".join(f"{code} ({count})" for code, count in sorted(reasons.items()))
            error = f"no page could be had: {worst}"
        if reason is StopReason.PROXIES_EXHAUSTED:
            error = exhausted_error(reasons)
        return await self._end(job.id, status, reason, error, if_idle=True)

    async def _rest(self, job_id: JobId, error: str) -> float | None:
        """Pause a job for which the store has no space, so that it does not fetch what cannot be kept; returns as `run` does."""
        try:
            paused = await self._store.jobs.transition(
                job_id, JobStatus.PAUSED, now=self._clock(), error=error
            )
        except StoreUnavailable:
            # Others have taken the reserve, too; nothing is fetched before there is space for leases.
            log.warning("slice.store_full", job_id=job_id, error=error)
            return 1.0
        if paused is not None:
            log.error("job.paused", job_id=job_id, error=error)
            self._tell(EventType.JOB_PAUSED, job_id)
        return None

    async def _quality(self, job: Job, status: JobStatus) -> list[str]:
        """What the user should know of the data of a job that completes."""
        if status is not JobStatus.COMPLETED or job.config.incremental:
            return []
        current = await self._store.jobs.get(job.id) or job
        before = await self._store.jobs.previous(job)
        return quality_warnings(
            list(names_of(job.selectors)),
            Harvest(current.counters.items, current.fill),
            None if before is None else Harvest(before.counters.items, before.fill),
            same_size=before is not None
            and job.config.max_pages >= before.config.max_pages
            and len(job.urls) >= len(before.urls),
        )

    async def _end(
        self,
        job_id: JobId,
        status: JobStatus,
        reason: StopReason,
        error: str | None = None,
        *,
        if_idle: bool = False,
    ) -> bool:
        ended = await self._store.jobs.transition(
            job_id, status, now=self._clock(), if_idle=if_idle, stop_reason=reason, error=error
        )
        if ended is not None:
            log.info("job.ended", job_id=job_id, status=str(status), stop_reason=str(reason))
            self._tell(_EVENT_OF[status], job_id)
        return ended is not None

    def _tell(self, event: EventType, job_id: JobId) -> None:
        self._events.publish(Event(event, job_id, self._clock()))


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
