"""Slices as keyed, self-renewing docket tasks in Redis, shared by all workers of a fleet; and the sweep.

As in `docket_queue`, with one docket for each priority. A job's slices have the keys `job/0`, `job/1` and so on; docket keeps each
key at most once, waiting or running, whichever worker adds it. What Redis forgets, the sweep of any worker adds again: a key that runs
twice for a while does no harm, because slices work under leases.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Self

import structlog
from docket import Docket, Perpetual, Worker
from docket.execution import Disposition, ExecutionState
from redis.exceptions import RedisError

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Job, Priority
from scrapemaster.domain.shares import share_of, slices_of
from scrapemaster.ports.jobs import JobStore
from scrapemaster.ports.tracing import NoTracer, Tracer, Work

log = structlog.get_logger(__name__)

#: What docket raises when Redis cannot be used. RuntimeError is uvloop's, for a connection that was closed since it was last used.
_FAULTS = (RedisError, OSError, TimeoutError, RuntimeError)

#: Runs a slice; see `crawl.runner.SliceRunner.run`.
RunSlice = Callable[..., Awaitable[float | None]]

#: Seconds between two looks for unfinished jobs, at least and at most: jittered, so that workers take turns.
SWEEP_EVERY = (0.75, 1.5)
#: Seconds after which a slice whose worker gave no sign of life is run by another one.
TAKE_OVER_AFTER = 8.0
#: Seconds a call to Redis may take where somebody waits for it, and for how long it is not asked after it failed.
_ANSWER = 1.0
#: How long docket waits for new tasks, and between looks for those that are due. No multiples of each other: were the two
#: in step, one worker would be first for every task of another.
_WAIT = timedelta(milliseconds=170)
_TICK = timedelta(milliseconds=110)
#: Seconds from now beyond which no slice is ever parked: twice the longest rest of a job.
_LATEST = 60.0
_TASK = "slice"
_KEEP_ENDED = timedelta(minutes=1)


class FleetQueue:
    """See `ports.queue.Queue`: tells the workers of a fleet. Use as an async context manager."""

    def __init__(self, url: str, tracer: Tracer | None = None) -> None:
        self._tracer = tracer or NoTracer()
        self._dockets = {
            priority: Docket(name=f"scrapemaster-{priority}", url=url, execution_ttl=_KEEP_ENDED)
            for priority in Priority
        }
        self._stack = contextlib.AsyncExitStack()
        self._down_until = 0.0
        # docket logs every start and end of a task at INFO, and a trace for each second without Redis.
        logging.getLogger("docket").setLevel(logging.ERROR)

    async def __aenter__(self) -> Self:
        for priority, docket in self._dockets.items():
            await self._stack.enter_async_context(docket)
            task = self._task_for(priority)
            # A successor is queued under the function's own name, and must be found by that in every process.
            task.__name__ = _TASK
            docket.register(task)
        return self

    async def __aexit__(self, *exc: object) -> None:
        # docket waits for its reads of Redis to end, and those may miss that they are cancelled.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER):
                await self._stack.aclose()

    async def wake(self, job_id: JobId, priority: Priority) -> None:
        """See `ports.queue.Queue`. Slices under way hear of the job by its events."""
        facts = {"scrapemaster.job_id": job_id, "scrapemaster.priority": priority.value}
        with self._tracer.span(Work.WAKE, "wake", facts) as span:
            await self.take_up(job_id, priority, span.traceparent)

    async def take_up(self, job_id: JobId, priority: Priority, order: str | None = None) -> None:
        """As `wake`, without a span of its own; `order` is the traceparent of what wants it."""
        if time.monotonic() < self._down_until:
            return
        try:
            async with asyncio.timeout(_ANSWER):
                await self._add(self._dockets[priority], job_id, order)
        except _FAULTS as error:
            self._down_until = time.monotonic() + _ANSWER
            log.warning("wake.lost", job_id=job_id, error=f"{type(error).__name__}: {error}")

    async def _add(self, docket: Docket, job_id: JobId, order: str | None) -> None:
        key, arguments = key_of(job_id, 0), arguments_of(job_id, 0, order)
        execution = await docket.add(_TASK, key=key)(*arguments)
        if execution.disposition is Disposition.ALREADY_SCHEDULED:
            await execution.sync()
            if execution.state is ExecutionState.SCHEDULED:
                # It waits for its time: bring that forward.
                await docket.replace(_TASK, datetime.now(UTC), key)(*arguments)

    def _task_for(self, _priority: Priority) -> Callable[..., Awaitable[None]]:
        async def slice_(job: str, number: int, _order: str | None = None) -> None:
            # Docket adds a task by its function. This one only lends it name and signature: no worker is started here that would run it.
            raise RuntimeError(f"slice {number} of {job}: this process runs no slices")

        return slice_


class FleetWorker(FleetQueue):
    """Runs slices too, `places` at once for each priority, and sweeps. A `ports.spread.Spread` for the slices.

    `workers` says how many workers the fleet has now; `stop_slices` ends the slices under way when the context is left.
    """

    def __init__(  # noqa: PLR0917 -- built in one place
        self,
        url: str,
        run_slice: RunSlice,
        stop_slices: Callable[[], None],
        jobs: JobStore,
        places: Mapping[Priority, int],
        workers: Callable[[], int],
        name: str,
        tracer: Tracer | None = None,
    ) -> None:
        super().__init__(url, tracer)
        self._run_slice = run_slice
        self._stop_slices = stop_slices
        self._jobs = jobs
        self._places = places
        self._workers = workers
        self._name = name
        self._depth = dict.fromkeys(Priority, 0)
        self._rng = Random()  # noqa: S311 -- jitter, not secrets
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._summons: dict[JobId, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for priority, docket in self._dockets.items():
            worker = await self._stack.enter_async_context(
                Worker(
                    docket,
                    name=self._name,
                    concurrency=self._places[priority],
                    redelivery_timeout=timedelta(seconds=TAKE_OVER_AFTER),
                    reconnection_delay=timedelta(seconds=1),
                    minimum_check_interval=_WAIT,
                    scheduling_resolution=_TICK,
                )
            )
            self._tasks.append(asyncio.create_task(self._keep(worker)))
        self._tasks.append(asyncio.create_task(self._sweep()))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stopping = True
        # First no more is taken up; then what runs is told to end, and waited for.
        for task in (*self._tasks, *self._summons.values()):
            task.cancel()
        self._stop_slices()
        await asyncio.gather(*self._tasks, *self._summons.values(), return_exceptions=True)
        await super().__aexit__(*exc)

    async def until_broken(self) -> None:
        """Wait for ever: the engine's loops are begun again when they fail."""
        # Who stops waiting does not stop them: they are told to drain when the context is left.
        await asyncio.wait(self._tasks)

    def width(self, number: int, concurrency: int) -> int:
        """See `ports.spread.Spread`."""
        return share_of(number, concurrency, self._workers())

    def summon(self, job: Job, order: str | None = None) -> None:
        """See `ports.spread.Spread`."""
        wanted = slices_of(job.config.concurrency, self._workers())
        if wanted > 1 and job.id not in self._summons and not self._stopping:
            task = asyncio.create_task(self._summon(job.id, job.priority, wanted, order))
            self._summons[job.id] = task
            task.add_done_callback(lambda _: self._summons.pop(job.id, None))

    async def _summon(self, job_id: JobId, priority: Priority, wanted: int, order: str | None) -> None:
        docket = self._dockets[priority]
        with contextlib.suppress(*_FAULTS):
            async with asyncio.timeout(_ANSWER):
                await docket.add_many(
                    docket.call(_TASK, key=key_of(job_id, number))(*arguments_of(job_id, number, order))
                    for number in range(1, wanted)
                )

    async def _keep(self, worker: Worker) -> None:
        """Run docket's loop; it waits out what Redis does, and is begun again after any other fault."""
        # docket takes a cancellation as an order to finish what runs, and returns.
        while not self._stopping:
            try:
                await worker.run_forever()
            except Exception:  # a worker that takes up nothing any more would be worse than any fault
                log.exception("queue.failed")
                await asyncio.sleep(1.0)

    async def _sweep(self) -> None:
        """Queue whatever the store says is unfinished; what is queued or runs already is left alone."""
        said = False
        while True:
            await asyncio.sleep(self._rng.uniform(*SWEEP_EVERY))
            try:
                unfinished = await self._jobs.unfinished()
                async with asyncio.timeout(10 * _ANSWER):
                    for priority, docket in self._dockets.items():
                        await self._queue_all(docket, [job_id for job_id, of in unfinished if of is priority])
                        async with docket.redis() as redis:
                            self._depth[priority] = await redis.xlen(docket.stream_key)
                said = False
            except Exception as error:  # noqa: BLE001 -- the sweep must outlive every fault
                if not said:
                    log.warning("sweep.failed", error=f"{type(error).__name__}: {error}")
                said = True

    async def _queue_all(self, docket: Docket, jobs: list[JobId]) -> None:
        if jobs:
            await docket.add_many(
                docket.call(_TASK, key=key_of(job_id, 0))(*arguments_of(job_id, 0)) for job_id in jobs
            )
            await self._bring_forward(docket, jobs)

    async def _bring_forward(self, docket: Docket, jobs: list[JobId]) -> None:
        """Have those run now whose time was set by a worker with a clock that is far ahead; by Redis's clock, as ours may be the wrong one."""
        keys = [key_of(job_id, 0) for job_id in jobs]
        async with docket.redis() as client:
            redis: Any = client  # docket declares no more of it than it uses
            (seconds, _), times = await redis.time(), await redis.zmscore(docket.queue_key, keys)
        for job_id, key, at in zip(jobs, keys, times, strict=True):
            if at is not None and at > seconds + _LATEST:
                await docket.replace(_TASK, datetime.fromtimestamp(seconds, UTC), key)(
                    *arguments_of(job_id, 0)
                )

    def _task_for(self, priority: Priority) -> Callable[..., Awaitable[None]]:
        async def slice_(
            job: str,
            number: int,
            order: str | None = None,
            perpetual: Perpetual = Perpetual(),  # noqa: B008 -- docket's way
        ) -> None:
            again: float | None = 0.0
            crowded = False
            # Where nobody waits for the place, a slice's successor runs on the spot: the worker has all it needs at hand.
            while again == 0.0 and not (crowded or self._stopping):
                # Entries of the stream wait or run; there are so many places for those that run.
                crowded = self._depth[priority] > self._places[priority] * max(1, self._workers())
                try:
                    again = await self._run_slice(
                        JobId(job), crowded=crowded, number=number, spread=self, order=order
                    )
                except Exception:  # the job is unfinished still, and is taken up again
                    log.exception("slice.failed", job_id=job, slice=number)
                    again = 1.0
            if self._stopping:
                again = 0.0  # for another worker, which finds out whether there is more to do
            if again is None:
                perpetual.cancel()
            else:
                perpetual.after(timedelta(seconds=again))

        return slice_


def key_of(job_id: JobId, number: int) -> str:
    """The task key of a job's slice."""
    return f"{job_id}/{number}"


def arguments_of(job_id: JobId, number: int, order: str | None = None) -> tuple[object, ...]:
    """The arguments of a slice's task, which its successors inherit. Those without traces have none for `order`, as in older versions."""
    return (str(job_id), number) if order is None else (str(job_id), number, order)
