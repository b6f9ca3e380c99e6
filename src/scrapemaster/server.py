"""The service: embedded, with the API in this process and a supervised crawler; or the processes of a fleet."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence

import structlog
import uvicorn
import uvloop

from scrapemaster import __version__
from scrapemaster.api.app import create_app
from scrapemaster.bootstrap import (
    ServiceApp,
    build_accounts,
    build_services,
    build_tracer,
    redis_url_of,
)
from scrapemaster.connection import bounded
from scrapemaster.data_folder import flight_recorders, only_one
from scrapemaster.domain.errors import Conflict, InvalidSetting, StoreBroken
from scrapemaster.services.accounts import AccountService
from scrapemaster.settings import Settings, settings_environment
from scrapemaster.stores import embedded_use, fleet_use, open_store
from scrapemaster.worker.processes import Children, ChildSpec
from scrapemaster.worker.supervisor import CrawlerProcess

log = structlog.get_logger(__name__)

#: Seconds that requests under way are given at the end.
_GRACE = 2
#: Connections that wait to be accepted; Linux takes no more than net.core.somaxconn, 4,096 since 5.4.
_BACKLOG = 4_096
#: Open files to ask for: more only makes programs slow that close all descriptors they might have.
_MOST_FILES = 65_536


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
    with only_one(settings, "service"), _listen(settings) as listener:
        uvloop.run(_serve(settings, listener))


def raise_open_files() -> int:
    """Allow this process and its children as many open files as the system lets them have; returns how many.

    Each connection takes one, and the usual soft limit is 1,024. Where it is more already it stays.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with contextlib.AsyncExitStack() as stack:
        tracer = stack.enter_context(build_tracer(settings, "api"))
        stopping, taken = asyncio.Event(), list[str]()

        def lost(why: str) -> None:
            taken.append(why)
            stopping.set()

        store = await stack.enter_async_context(open_store(settings, embedded_use(settings, lost)))
        # Until here nothing is at hand that would have to be ended in order, and a store may keep us waiting: signals end the process.
        _hear_signals(stopping)
        crawler = CrawlerProcess(settings, tracer)
        services = build_services(
            settings, store, crawler, crawler.watchers, crawler, courier=crawler, tracer=tracer
        )
        await _welcome(settings, services.accounts)
        await crawler.start()
        _say_ready(settings, listener)
        await answer(services, listener, stopping, crawler.stop)
    if taken:
        raise StoreBroken(taken[0])


def run_fleet(settings: Settings, *, apis: int = 0, workers: int = 0) -> None:
    """Run so many processes of a fleet until SIGINT or SIGTERM. Raises `InvalidSetting` or `StoreError`."""
    redis_url_of(settings)
    raise_open_files()
    with contextlib.ExitStack() as stack:
        stack.enter_context(only_one(settings, "service", shared=True))
        listener = stack.enter_context(_listen(settings)) if apis else None
        recorders = stack.enter_context(flight_recorders(settings, workers))
        uvloop.run(_run_fleet(settings, listener, apis, recorders))


async def _run_fleet(
    settings: Settings, listener: socket.socket | None, apis: int, recorders: Sequence[int]
) -> None:
    specs = [
        ChildSpec(f"worker-{number}", "scrapemaster.worker.fleet", [str(file)], [file], recorder=file)
        for number, file in enumerate(recorders)
    ]
    with build_tracer(settings, "parent"):
        pass  # only to see that it can be had
    from scrapemaster.fleet_parts import check_redis  # noqa: PLC0415 -- heavy, and for fleets alone

    await check_redis(settings)
    # Before the children start, so that one of them brings the schema up to date, and one makes the admin.
    async with open_store(settings, fleet_use()) as store:
        if listener is not None:
            await _welcome(settings, build_accounts(settings, store).accounts)
    stopping = asyncio.Event()
    _hear_signals(stopping)
    if listener is not None:
        descriptor = listener.fileno()
        specs += [
            ChildSpec(f"api-{number}", "scrapemaster.fleet_api", [str(descriptor)], [descriptor])
            for number in range(apis)
        ]
        _say_ready(settings, listener)
    log.info("fleet.started", version=__version__, apis=apis, workers=len(recorders))
    await Children(specs, settings_environment(settings)).run(stopping)
    log.info("fleet.stopped")


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
            backlog=_BACKLOG,
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


async def _welcome(settings: Settings, accounts: AccountService) -> None:
    """Make the first admin, if there is no user yet."""
    try:
        password = await accounts.ensure_admin()
    except Conflict:
        return  # another process of the fleet was a moment earlier
    if password is not None:
        print(  # noqa: T201 -- shown once, and must not be in a log
            f"\n  An admin account was made.\n  user name: {settings.admin_username}\n"
            f"  password:  {password}\n  It is not shown again.\n",
            flush=True,
        )


def _hear_signals(stopping: asyncio.Event) -> None:
    """Have SIGINT and SIGTERM set the event."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)


def _say_ready(settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    log.info(
        "service.ready",
        version=__version__,
        dashboard=f"http://{host}:{port}/",
        docs=f"http://{host}:{port}/api/docs",
        data=str(settings.data_dir),
    )


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise InvalidSetting(
                f"SCRAPEMASTER_HOST and SCRAPEMASTER_PORT: {settings.host}:{settings.port} cannot be listened on "
                f"({error.strerror}); choose another with --host or --port"
            ) from error
        listener.listen(_BACKLOG)
        yield listener
