"""The composition root's part for fleets: workers and API processes that find each other in Redis."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable

from scrapemaster import __version__
from scrapemaster.bootstrap import (
    CrawlerApp,
    build_crawling,
    build_egress,
    build_engines,
    build_proxies,
)
from scrapemaster.crawl.recorder import Recorder
from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.job import Priority
from scrapemaster.domain.worker import WorkerReport
from scrapemaster.fleet.bus import RedisBus
from scrapemaster.fleet.registry import Registry
from scrapemaster.fleet.throttle import FleetThrottle
from scrapemaster.queueing.fleet_queue import FleetWorker
from scrapemaster.services.proxy_keeper import ProxyKeeper
from scrapemaster.services.schedules import Scheduler
from scrapemaster.settings import Settings, redis_url_of
from scrapemaster.stores import fleet_use, open_store
from scrapemaster.tracer_parts import build_tracer

#: What slices under way must hear of at once.
_ORDERS = frozenset(
    {EventType.JOB_PAUSED, EventType.JOB_CANCELLED, EventType.JOB_COMPLETED, EventType.JOB_FAILED}
)


@contextlib.asynccontextmanager
async def fleet_crawler_app(
    settings: Settings, worker: str, recorder: Recorder | None, lost: Callable[[str], None]
) -> AsyncIterator[CrawlerApp]:
    """The parts of a fleet's worker of that name; the queue is to be entered by the caller. `lost`: see `stores.Use`."""
    url, started_at = redis_url_of(settings), time.time()

    def hear(event: Event) -> None:
        if event.type in _ORDERS:
            parts.runner.poke(event.job_id)
            # Webhooks may tell of it.
            parts.dispatcher.poke()

    def report() -> WorkerReport:
        return WorkerReport(
            worker,
            socket.gethostname(),
            os.getpid(),
            __version__,
            started_at,
            time.time(),
            parts.runner.slices,
            parts.runner.pages_per_second(),
            parts.runner.figures,
        )

    async with open_store(settings, fleet_use(lost)) as store, contextlib.AsyncExitStack() as stack:
        tracer = stack.enter_context(build_tracer(settings, "worker"))
        throttle = await stack.enter_async_context(FleetThrottle(url, worker, settings.host_concurrency))
        bus = await stack.enter_async_context(RedisBus(url))
        engines = build_engines(settings, build_proxies(settings, store), throttle)
        parts = await build_crawling(settings, store, engines, bus, recorder, stack, worker, tracer)
        bus.subscribe(hear)
        bus.subscribe_nudges(parts.dispatcher.poke)
        registry = await stack.enter_async_context(Registry(url, report))
        queue = FleetWorker(
            url,
            parts.runner.run,
            parts.runner.stop,
            store.jobs,
            dict.fromkeys(Priority, settings.crawler_places),
            lambda: registry.count,
            worker,
            tracer,
        )
        scheduler = Scheduler(store, queue, parts.orders, parts.clock)
        keeper = ProxyKeeper(store.proxies, build_egress(settings))
        yield CrawlerApp(store, queue, parts.runner, parts.dispatcher, scheduler, keeper)
