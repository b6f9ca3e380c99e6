"""The embedded service: the API in this process, and a supervised crawler."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import Awaitable, Callable, Iterator

import structlog
import uvicorn
import uvloop

from scrapemaster.api.app import create_app
from scrapemaster.connection import bounded
from scrapemaster.data_folder import only_one
from scrapemaster.domain.errors import InvalidSetting, StoreBroken
from scrapemaster.service_parts import ServiceApp, build_services
from scrapemaster.settings import Settings
from scrapemaster.starting import BACKLOG, hear_signals, listen, raise_open_files, say_ready, welcome
from scrapemaster.stores import embedded_use, open_store
from scrapemaster.tracer_parts import build_tracer
from scrapemaster.worker.supervisor import CrawlerProcess

log = structlog.get_logger(__name__)

#: Seconds that requests under way are given at the end.
_GRACE = 2


class _Server(uvicorn.Server):
    """uvicorn, with signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings) -> None:
    """Run embedded until SIGINT or SIGTERM. Raises `InvalidSetting` or `StoreError` when it cannot start."""
    if settings.redis_url is not None:
        raise InvalidSetting(
            "SCRAPEMASTER_REDIS_URL is set, and scrapemaster serve runs without Redis: start scrapemaster all, or "
            "scrapemaster api and scrapemaster worker; or take the setting away"
        )
    raise_open_files()
    with only_one(settings, "service"), listen(settings) as listener:
        uvloop.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with contextlib.AsyncExitStack() as stack:
        tracer = stack.enter_context(build_tracer(settings, "api"))
        stopping, taken = asyncio.Event(), list[str]()

        def lost(why: str) -> None:
            taken.append(why)
            stopping.set()

        store = await stack.enter_async_context(open_store(settings, embedded_use(settings, lost)))
        # Until here nothing is at hand that would have to be ended in order, and a store may keep us waiting: signals end the process.
        hear_signals(stopping)
        crawler = CrawlerProcess(settings, tracer)
        services = build_services(
            settings, store, crawler, crawler.watchers, crawler, courier=crawler, tracer=tracer
        )
        await welcome(settings, services.accounts)
        await crawler.start()
        say_ready(settings, listener)
        await answer(services, listener, stopping, crawler.stop)
    if taken:
        raise StoreBroken(taken[0])


async def answer(
    services: ServiceApp,
    listener: socket.socket,
    stopping: asyncio.Event,
    at_end: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve HTTP on an open socket until `stopping`; `at_end` is awaited while requests under way are finished."""
    server = _Server(
        uvicorn.Config(
            create_app(services),
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            timeout_keep_alive=75,
            http=bounded(services.settings.client_timeout),
            ws="none",
            # uvicorn alone would believe any process of this machine.
            proxy_headers=bool(services.settings.trusted_proxies),
            forwarded_allow_ips=list(services.settings.trusted_proxies),
        )
    )
    _spare_collections()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    log.info("service.stopping")
    services.feeds.close()
    services.lists.close()
    server.should_exit = True
    await asyncio.gather(serving, *([at_end()] if at_end is not None else []))
    await services.preview.close()
    waiting.cancel()
    log.info("service.stopped")


def _spare_collections() -> None:
    """Have the garbage collector leave alone what was made until now, which stays, and look less often for what a request leaves behind.

    A page of 1,000 rows makes 2,000 objects, which was three collections; without them it takes a tenth less time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
