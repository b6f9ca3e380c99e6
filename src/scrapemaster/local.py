"""One crawl in this process, with a store that lives as long: what `scrapemaster scrape` runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from scrapemaster.bootstrap import build_engines, build_isolation, build_proxies
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.domain.events import Event
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.item import Result
from scrapemaster.domain.job import Job, JobStatus, StopReason
from scrapemaster.domain.outcome import FailedPage
from scrapemaster.ports.store import Store
from scrapemaster.services.jobs import JobOrder, check_engine, job_of
from scrapemaster.settings import load_settings
from scrapemaster.stores import open_store

_LOCAL_USER = UserId("local")
#: Seconds between two looks at the progress.
_LOOK_EVERY = 0.2


class _Silence:
    """An `EventSink` nobody listens to."""

    def publish(self, event: Event) -> None:
        """See `ports.events.EventSink`."""


@dataclass(slots=True, frozen=True)
class Crawl:
    """A crawl that is over."""

    job: Job
    store: Store

    def rows(self) -> AsyncIterator[list[Result]]:
        """All rows, in batches."""
        return self.store.results.stream(self.job.id)

    async def failures(self, limit: int) -> list[FailedPage]:
        """Pages that brought nothing."""
        pages, _ = await self.store.frontier.failures(self.job.id, limit=limit)
        return pages


@contextlib.asynccontextmanager
async def crawled(
    order: JobOrder, watch: Callable[[Job], None], stop: asyncio.Event, *, allow: str | None = None
) -> AsyncIterator[Crawl]:
    """Run an order to its end, or until `stop`; `watch` is shown the job now and then.

    `allow` opens networks that are not public, as SCRAPEMASTER_EGRESS_ALLOW does.
    """
    with TemporaryDirectory(prefix="scrapemaster-") as folder:
        settings = load_settings(data_dir=folder, egress_allow=allow).model_copy(update={"mongodb_url": None})
        job, seeds = job_of(order, _LOCAL_USER, time.time())
        async with open_store(settings) as store, contextlib.AsyncExitStack() as stack:
            engines = build_engines(settings, build_proxies(settings, store))
            stack.push_async_callback(engines.close)
            check_engine(engines.get, order)
            isolation = build_isolation(settings)
            stack.push_async_callback(isolation.close)
            runner = SliceRunner(store, engines.get, _Silence(), isolation)
            stack.push_async_callback(runner.close)
            await store.jobs.add(job, seeds)
            running = asyncio.create_task(_run(runner, job))
            stopped = asyncio.create_task(stop.wait())
            while not running.done() and not stop.is_set():
                await asyncio.wait(
                    [running, stopped], timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED
                )
                watch(await store.jobs.get(job.id) or job)
            stopped.cancel()
            runner.stop()
            if stop.is_set():
                await store.jobs.transition(
                    job.id, JobStatus.CANCELLED, now=time.time(), stop_reason=StopReason.CANCELLED_BY_USER
                )
            await running
            yield Crawl(await store.jobs.get(job.id) or job, store)


async def _run(runner: SliceRunner, job: Job) -> None:
    while True:
        again = await runner.run(job.id)
        if again is None:
            return
        await asyncio.sleep(again)
