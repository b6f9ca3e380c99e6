"""Slices as keyed, self-renewing docket tasks in three queues, and the sweep.

One docket queue for each priority, each with places of its own, so that a `high` job never waits for others to give way.
A job's slice has the job's id as its key: docket keeps a key at most once, waiting or running. When
a slice ends, docket's `Perpetual` schedules its successor under the same key, or drops the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self

import structlog
from docket import Docket, Perpetual, Worker
from docket.execution import Disposition

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Priority
from scrapemaster.ports.jobs import JobStore
from scrapemaster.ports.tracing import NoTracer, Tracer, Work

log = structlog.get_logger(__name__)

#: Runs a slice; `crowded` says that others wait. Returns seconds until the next one, or None.
RunSlice = Callable[..., Awaitable[float | None]]
#: Tells a running slice to look at its job; False when none runs here.
Poke = Callable[[JobId], bool]

#: Seconds between two looks for unfinished jobs that nobody has queued.
SWEEP_EVERY = 1.0
#: How often docket looks whether a delayed slice is due; what is to run at once does not wait for it. Each look of the three queues takes
#: a millisecond: every 50 ms they took 6 % of a core at rest, every 250 ms it is 2 % (measured).
_TICK = timedelta(milliseconds=250)


class DocketQueue:
    """The task engine over one address: `memory://` in one process, or a Redis URL.

    Use as an async context manager; then tasks run until it is left. `places` says how many slices run at once
    for each priority.
    """

    def __init__(  # noqa: PLR0917 -- built in one place
        self,
        url: str,
        run_slice: RunSlice,
        poke: Poke,
        jobs: JobStore,
        places: Mapping[Priority, int],
        tracer: Tracer | None = None,
    ) -> None:
        self._tracer = tracer or NoTracer()
        self._run_slice = run_slice
        self._poke = poke
        self._jobs = jobs
        self._places = places
        self._dockets = {priority: Docket(name=f"scrapemaster-{priority}", url=url) for priority in Priority}
        self._scheduled: dict[JobId, Priority] = {}
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        # docket logs every start and end of a task at INFO: two lines a slice that tell nothing.
        logging.getLogger("docket").setLevel(logging.WARNING)

    async def __aenter__(self) -> Self:
        for priority, docket in self._dockets.items():
            await self._stack.enter_async_context(docket)
            docket.register(self._task_for(priority), names=["slice"])
            worker = await self._stack.enter_async_context(
                Worker(
                    docket,
                    concurrency=self._places[priority],
                    minimum_check_interval=_TICK,
                    scheduling_resolution=_TICK,
                )
            )
            self._tasks.append(asyncio.create_task(worker.run_forever()))
        self._tasks.append(asyncio.create_task(self._sweep()))
        return self

    async def until_broken(self) -> None:
        """Wait for ever, unless the engine's own loops fail; then raise what they failed with."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("the task engine stopped by itself")

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def wake(self, job_id: JobId, priority: Priority) -> None:
        """See `ports.queue.Queue`."""
        facts = {"scrapemaster.job_id": job_id, "scrapemaster.priority": priority.value}
        with self._tracer.span(Work.WAKE, "wake", facts) as span:
            await self.take_up(job_id, priority, span.traceparent)

    async def take_up(self, job_id: JobId, priority: Priority, order: str | None = None) -> None:
        """As `wake`, without a span of its own; `order` is the traceparent of what wants it."""
        if self._poke(job_id):
            return
        arguments = (str(job_id),) if order is None else (str(job_id), order)
        docket = self._dockets[priority]
        if job_id in self._scheduled:
            # It waits for its time: bring that forward.
            await docket.replace("slice", datetime.now(UTC), str(job_id))(*arguments)
            return
        execution = await docket.add("slice", key=str(job_id))(*arguments)
        # A key may still be held by a slice that is just ending; then the sweep comes back to the job.
        if execution.disposition is Disposition.SCHEDULED:
            self._scheduled[job_id] = priority

    async def _sweep(self) -> None:
        """Queue whatever the store says is unfinished and is not queued here."""
        while True:
            try:
                for job_id, priority in await self._jobs.unfinished():
                    if job_id not in self._scheduled:
                        await self.take_up(job_id, priority)
            except Exception as error:  # noqa: BLE001 -- the sweep must outlive every fault
                log.warning("sweep.failed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(SWEEP_EVERY)

    def _task_for(self, priority: Priority) -> Callable[..., Awaitable[None]]:
        async def slice_(
            job: str,
            order: str | None = None,
            perpetual: Perpetual = Perpetual(),  # noqa: B008 -- docket's way
        ) -> None:
            job_id = JobId(job)
            try:
                waiting = sum(1 for other in self._scheduled.values() if other is priority)
                again = await self._run_slice(job_id, crowded=waiting > self._places[priority], order=order)
            except Exception:  # the job is unfinished still; the sweep takes it up again
                log.exception("slice.failed", job_id=job_id)
                again = 1.0
            if again is None:
                self._scheduled.pop(job_id, None)
                perpetual.cancel()
            else:
                perpetual.after(timedelta(seconds=again))

        return slice_
