"""The composition root's part for a fleet's API processes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from scrapemaster.domain.ids import uuid7
from scrapemaster.fleet.board import RedisBoard
from scrapemaster.fleet.bus import RedisBus
from scrapemaster.fleet.counters import RedisCounters
from scrapemaster.fleet.registry import Registry
from scrapemaster.fleet.throttle import FleetThrottle
from scrapemaster.queueing.fleet_queue import FleetQueue
from scrapemaster.service_parts import ServiceApp, build_services
from scrapemaster.services.watchers import Watchers
from scrapemaster.services.windows import Windows
from scrapemaster.settings import Settings, redis_url_of
from scrapemaster.stores import fleet_use, open_store
from scrapemaster.tracer_parts import build_tracer


@contextlib.asynccontextmanager
async def fleet_service_app(settings: Settings, lost: Callable[[str], None]) -> AsyncIterator[ServiceApp]:
    """The parts of a fleet's API process. `lost`: see `stores.Use`."""
    url = redis_url_of(settings)
    async with open_store(settings, fleet_use(lost)) as store, contextlib.AsyncExitStack() as stack:
        tracer = stack.enter_context(build_tracer(settings, "api"))
        bus = await stack.enter_async_context(RedisBus(url))
        watchers = Watchers(bus.publish)
        bus.subscribe(watchers.heard)
        registry = await stack.enter_async_context(Registry(url))
        queue = await stack.enter_async_context(FleetQueue(url, tracer))
        process = uuid7()
        board = await stack.enter_async_context(RedisBoard(url, process))
        # For previews, which ask the same hosts as jobs do.
        throttle = await stack.enter_async_context(
            FleetThrottle(url, f"api-{process}", settings.host_concurrency)
        )
        counters = RedisCounters(url)
        stack.push_async_callback(counters.close)
        yield build_services(
            settings,
            store,
            queue,
            watchers,
            registry,
            courier=bus,
            windows=Windows(counters),
            ping_redis=registry.ping,
            board=board,
            tracer=tracer,
            throttle=throttle,
        )
