"""Runs the spiders of jobs, each in a process, and moves the jobs to their ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from scrapemaster.domain.errors import LeaseLost, UserError
from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.ids import JobId, uuid7
from scrapemaster.domain.job import Job, JobStatus, StopReason
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import Leased
from scrapemaster.domain.spider import SpiderOrder
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.store import Store
from scrapemaster.spiders.cache import ProjectCache
from scrapemaster.spiders.ending import Ending, death_of, ending, may_go_on
from scrapemaster.spiders.gate import gate_of
from scrapemaster.spiders.keeping import LEASE_SECONDS, Keeping
from scrapemaster.spiders.process import Limits, SpiderProcess
from scrapemaster.spiders.root import ROOT
from scrapemaster.spiders.run import Run, Turn

log = structlog.get_logger(__name__)

#: Seconds after which a job that found no place, or is run elsewhere, is looked at again.
_LOOK_AGAIN = 1.0
#: Seconds before a spider is started anew whose process died; doubled each time.
_RESTART_AFTER = (1.0, 30.0)
_EVENT_OF = {JobStatus.COMPLETED: EventType.JOB_COMPLETED, JobStatus.FAILED: EventType.JOB_FAILED}


@dataclass(slots=True, frozen=True)
class SpiderRules:
    """How spiders are run. `places` at once; `seconds` for a run at most.

    `stop_seconds` are given to one that is to close; one that is paused is kept for `pause_seconds`.
    """

    limits: Limits = field(default_factory=Limits)
    places: int = 4
    seconds: float = 86_400.0
    stop_seconds: float = 10.0
    pause_seconds: float = 600.0


class SpiderRunner:
    """See `ports.spiders.SpiderRuns`.

    `check` raises a `UserError` where spiders cannot be run. `worker` is what its leases' holders begin with, in a fleet; `clock` gives epoch seconds.
    """

    def __init__(
        self,
        store: Store,
        cache: ProjectCache,
        egress: EgressPolicy,
        events: EventSink,
        *,
        rules: SpiderRules,
        check: Callable[[], None],
        worker: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cache = cache
        self._egress = egress
        self._events = events
        self._rules = rules
        self._check = check
        self._worker = worker
        self._clock = clock
        self._stop = asyncio.Event()
        self._places = asyncio.Semaphore(rules.places)
        self._idle = asyncio.Event()
        self._idle.set()
        self._running = 0

    @property
    def running(self) -> int:
        """See the port."""
        return self._running

    def stop(self) -> None:
        """See the port."""
        self._stop.set()

    async def close(self) -> None:
        """See the port."""
        self.stop()
        await self._idle.wait()

    async def run(self, job: Job, poked: asyncio.Event) -> float | None:
        """See the port."""
        if self._stop.is_set():
            return None
        if self._places.locked():
            return _LOOK_AGAIN
        async with self._places:
            self._running += 1
            self._idle.clear()
            try:
                started = await self._started(job)
                return None if started is None else await self._lead(started, poked)
            finally:
                self._running -= 1
                if not self._running:
                    self._idle.set()

    async def _started(self, job: Job) -> Job | None:
        if job.status is JobStatus.RUNNING:
            return job
        try:
            self._check()
        except UserError as error:
            await self._end(job.id, Ending(JobStatus.FAILED, StopReason.INTERNAL_ERROR, str(error)))
            return None
        started = await self._store.jobs.transition(
            job.id, JobStatus.RUNNING, now=self._clock(), only_from=JobStatus.PENDING, engine_used="scrapy"
        )
        if started is not None:
            self._tell(EventType.JOB_STARTED, job.id)
        return started

    async def _lead(self, job: Job, poked: asyncio.Event) -> float | None:
        """Hold the lease on the run, and run the spider under it."""
        holder = uuid7() if self._worker is None else f"{self._worker}/{uuid7()}"
        frontier = self._store.frontier
        if (await frontier.counters(job.id)).failed:
            # What failed in an earlier run may do better in this one.
            await frontier.retry_failed(job.id, now=self._clock())
        leased = await frontier.lease(job.id, holder, 1, LEASE_SECONDS, now=self._clock())
        try:
            if not leased or leased[0].fingerprint != ROOT:
                return _LOOK_AGAIN
            return await self._run(job, leased[0], holder, poked)
        except LeaseLost as error:
            log.warning("spider.lease_lost", job_id=job.id, error=str(error))
            return _LOOK_AGAIN
        finally:
            await frontier.release(job.id, holder)

    async def _run(self, job: Job, root: Leased, holder: str, poked: asyncio.Event) -> float | None:
        order = job.spider
        if order is None:
            return None
        try:
            version, path = await self._cache.get(order.project, order.version)
        except UserError as error:
            await self._end(job.id, Ending(JobStatus.FAILED, StopReason.INTERNAL_ERROR, str(error)))
            return None
        gate = gate_of(self._egress, None if job.config.proxy == "none" else job.config.proxy)
        await gate.open()
        try:
            task = {
                "path": str(path / version.folder),
                "settings_module": version.settings,
                "spider": order.name,
                "args": dict(order.args),
                "settings": dict(order.settings),
                "pages": order.pages,
            }
            process = await SpiderProcess.start(self._rules.limits, gate.port, task)
            log.info("spider.started", job_id=job.id, spider=order.url, pid=process.pid)
            keeping = Keeping(self._store, job.id, holder, self._clock)
            run = Run(self._store, job, process, keeping, pace=self._rules, stopping=self._stop, poked=poked)
            try:
                turn = await run.work(lambda: self._tell(EventType.JOB_PROGRESS, job.id))
                code = await run.end()
            finally:
                await process.end()
        finally:
            gate.close()
        log.info("spider.ended", job_id=job.id, reason=run.ended and run.ended.reason, code=code)
        if turn is not Turn.OVER:
            return None
        if run.ended is None or not may_go_on(run.ended.reason, run.ended.error):
            return await self._died(job, order, root, holder, death_of(code, process.last_words))
        await self._finish(job, run.ended.reason, run.ended.error, out_of_time=run.out_of_time)
        return None

    async def _finish(self, job: Job, reason: str, error: str | None, *, out_of_time: bool) -> None:
        counters = await self._store.frontier.recount(job.id)
        reasons = await self._store.frontier.reasons(job.id)
        await self._end(job.id, ending(reason, error, counters, reasons, out_of_time=out_of_time))

    async def _died(self, job: Job, order: SpiderOrder, root: Leased, holder: str, why: str) -> float | None:
        """Have the spider started anew, or give it up."""
        tries = root.attempts + 1
        again = root.attempts < order.restarts
        shortest, longest = _RESTART_AFTER
        wait = min(longest, shortest * 2.0**root.attempts)
        now = self._clock()
        outcome = Outcome(
            request=root,
            verdict=Verdict.RETRY if again else Verdict.FAILED,
            url=root.url,
            fetched=False,
            reason="spider_died",
            detail=why,
            retry_at=now + wait if again else None,
            fetched_at=now,
        )
        await self._store.frontier.commit(job.id, holder, [outcome])
        if again:
            return wait
        times = "once" if tries == 1 else f"{tries} times"
        error = f"the spider's process died {times}, so it is not started again: {why}"
        await self._end(job.id, Ending(JobStatus.FAILED, StopReason.INTERNAL_ERROR, error))
        return None

    async def _end(self, job_id: JobId, end: Ending) -> None:
        if end.warnings:
            await self._store.jobs.warn(job_id, end.warnings)
        ended = await self._store.jobs.transition(
            job_id, end.status, now=self._clock(), stop_reason=end.reason, error=end.error
        )
        if ended is not None:
            log.info("job.ended", job_id=job_id, status=str(end.status), stop_reason=str(end.reason))
            self._tell(_EVENT_OF[end.status], job_id)

    def _tell(self, event: EventType, job_id: JobId) -> None:
        self._events.publish(Event(event, job_id, self._clock()))
