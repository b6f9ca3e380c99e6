"""The composition root: settings in, working parts out. Nothing else builds adapters."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scrapemaster import __version__
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.domain.errors import InvalidSetting, StoreBroken
from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.ids import uuid7
from scrapemaster.domain.job import EngineName, Priority
from scrapemaster.domain.worker import WorkerReport
from scrapemaster.engines.http import HttpEngine
from scrapemaster.engines.registry import Engines
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle as LocalThrottle
from scrapemaster.fleet.board import RedisBoard
from scrapemaster.fleet.bus import RedisBus
from scrapemaster.fleet.registry import Registry
from scrapemaster.fleet.throttle import FleetThrottle
from scrapemaster.ports.board import Board
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.queue import Queue
from scrapemaster.ports.store import Store
from scrapemaster.ports.throttle import Throttle
from scrapemaster.ports.watch import JobWatch
from scrapemaster.ports.workers import Workers
from scrapemaster.queueing.docket_queue import DocketQueue
from scrapemaster.queueing.fleet_queue import FleetQueue, FleetWorker
from scrapemaster.services.accounts import AccountRules, AccountService, signing_key_in
from scrapemaster.services.jobs import JobService
from scrapemaster.services.monitoring import MonitoringService
from scrapemaster.services.results import ResultService
from scrapemaster.services.watchers import Watchers
from scrapemaster.settings import Settings
from scrapemaster.storage.sqlite.store import SqliteStore


@dataclass(slots=True, frozen=True)
class CrawlerApp:
    """What crawls: a store, the task engine (not started yet) and the slices it runs."""

    store: Store
    queue: DocketQueue | FleetWorker
    runner: SliceRunner


@dataclass(slots=True, frozen=True)
class ServiceApp:
    """What answers: the use cases over an open store."""

    settings: Settings
    store: Store
    accounts: AccountService
    jobs: JobService
    results: ResultService
    monitoring: MonitoringService
    board: Board | None = None


def prepare_data_dir(settings: Settings) -> Path:
    """The data folder, made if need be, readable by its owner alone."""
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(
            f"SCRAPEMASTER_DATA_DIR: the folder {folder} cannot be made: {error.strerror}"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidSetting(f"SCRAPEMASTER_DATA_DIR: the folder {folder} is not writable")
    return folder


@contextlib.contextmanager
def only_one(settings: Settings, role: str, *, wait: float = 0.0, shared: bool = False) -> Iterator[None]:
    """Hold the data folder for one process of a role; raises `StoreBroken` when another has it after `wait` seconds.

    `shared`: hold it together with others that share it, as a fleet's processes do.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    path = prepare_data_dir(settings) / f"{role}.lock"
    with path.open("a") as file:
        end = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= end:
                    raise StoreBroken(
                        f"another ScrapeMaster {role} is using the data folder {settings.data_dir}: stop it, or "
                        "give this one a folder of its own with SCRAPEMASTER_DATA_DIR or --data-dir"
                    ) from error
            time.sleep(0.05)
        yield


@contextlib.asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """The store, open."""
    store = SqliteStore(prepare_data_dir(settings) / "scrapemaster.db")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def build_egress(settings: Settings) -> EgressPolicy:
    """The egress policy with the networks that the settings open."""
    return EgressPolicy([ipaddress.ip_network(network) for network in settings.egress_allow])


def build_engines(settings: Settings, throttle: Throttle | None = None) -> Engines:
    """All engines, over one throttle: this process's own if none is given."""
    throttle = throttle or LocalThrottle(settings.host_concurrency)
    http = HttpEngine(build_egress(settings), throttle)
    return Engines({EngineName.HTTP: http, EngineName.AUTO: http})


@contextlib.asynccontextmanager
async def crawler_app(settings: Settings, events: EventSink) -> AsyncIterator[CrawlerApp]:
    """The parts of a crawler process; the queue is to be entered by the caller."""
    async with open_store(settings) as store, contextlib.AsyncExitStack() as stack:
        engines = build_engines(settings)
        stack.push_async_callback(engines.close)
        runner = SliceRunner(store, engines.get, events)
        stack.push_async_callback(runner.close)
        queue = DocketQueue(
            "memory://",
            runner.run,
            runner.poke,
            store.jobs,
            dict.fromkeys(Priority, settings.crawler_places),
        )
        yield CrawlerApp(store, queue, runner)


def build_accounts(settings: Settings, store: Store) -> AccountService:
    """The use cases of accounts over an open store."""
    given, password = settings.secret_key, settings.admin_password
    rules = AccountRules(
        signing_key=given.get_secret_value() if given else signing_key_in(prepare_data_dir(settings)),
        registration=settings.registration,
        token_ttl=settings.token_ttl,
        admin_username=settings.admin_username,
        admin_password=password.get_secret_value() if password else None,
    )
    return AccountService(store.users, rules)


def build_services(  # noqa: PLR0917 -- called in two places
    settings: Settings,
    store: Store,
    queue: Queue,
    watch: JobWatch,
    workers: Workers,
    ping_redis: Callable[[], Awaitable[None]] | None = None,
    board: Board | None = None,
) -> ServiceApp:
    """The use cases over an open store. `ping_redis` and `board` are a fleet's; None when there is none."""
    return ServiceApp(
        settings=settings,
        store=store,
        accounts=build_accounts(settings, store),
        jobs=JobService(store, queue, watch, build_engines(settings).get),
        results=ResultService(store),
        monitoring=MonitoringService(store, workers, ping_redis),
        board=board,
    )


#: What slices under way must hear of at once.
_ORDERS = frozenset(
    {EventType.JOB_PAUSED, EventType.JOB_CANCELLED, EventType.JOB_COMPLETED, EventType.JOB_FAILED}
)


def redis_url_of(settings: Settings) -> str:
    """The address of the fleet's Redis; raises `InvalidSetting` when none is set."""
    if settings.redis_url is None:
        raise InvalidSetting(
            "SCRAPEMASTER_REDIS_URL is not set: the processes of a fleet find each other in Redis; set it to an address "
            "such as redis://127.0.0.1:6379/0, or start scrapemaster serve, which needs none"
        )
    return settings.redis_url.get_secret_value()


@contextlib.asynccontextmanager
async def fleet_crawler_app(settings: Settings) -> AsyncIterator[CrawlerApp]:
    """The parts of a fleet's worker; the queue is to be entered by the caller."""
    url, worker_id, started_at = redis_url_of(settings), uuid7(), time.time()

    def hear(event: Event) -> None:
        if event.type in _ORDERS:
            runner.poke(event.job_id)

    def report() -> WorkerReport:
        return WorkerReport(
            worker_id,
            socket.gethostname(),
            os.getpid(),
            __version__,
            started_at,
            time.time(),
            runner.slices,
            runner.pages_per_second(),
            runner.figures,
        )

    async with open_store(settings) as store, contextlib.AsyncExitStack() as stack:
        throttle = FleetThrottle(url, worker_id, settings.host_concurrency)
        engines = build_engines(settings, await stack.enter_async_context(throttle))
        stack.push_async_callback(engines.close)
        bus = await stack.enter_async_context(RedisBus(url))
        runner = SliceRunner(store, engines.get, bus)
        bus.subscribe(hear)
        stack.push_async_callback(runner.close)
        registry = await stack.enter_async_context(Registry(url, report))
        queue = FleetWorker(
            url,
            runner.run,
            runner.stop,
            store.jobs,
            dict.fromkeys(Priority, settings.crawler_places),
            lambda: registry.count,
            worker_id,
        )
        yield CrawlerApp(store, queue, runner)


@contextlib.asynccontextmanager
async def fleet_service_app(settings: Settings) -> AsyncIterator[ServiceApp]:
    """The parts of a fleet's API process."""
    url = redis_url_of(settings)
    async with open_store(settings) as store, contextlib.AsyncExitStack() as stack:
        bus = await stack.enter_async_context(RedisBus(url))
        watchers = Watchers(bus.publish)
        bus.subscribe(watchers.heard)
        registry = await stack.enter_async_context(Registry(url))
        queue = await stack.enter_async_context(FleetQueue(url))
        board = await stack.enter_async_context(RedisBoard(url, uuid7()))
        yield build_services(settings, store, queue, watchers, registry, registry.ping, board)
