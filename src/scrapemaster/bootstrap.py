"""The composition root: settings in, working parts out. Nothing else builds adapters."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.domain.errors import InvalidSetting, MissingExtra, StoreBroken
from scrapemaster.domain.job import EngineName, Priority
from scrapemaster.engines.http import HttpEngine
from scrapemaster.engines.registry import Engines
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.queue import Queue
from scrapemaster.ports.store import Store
from scrapemaster.ports.watch import JobWatch
from scrapemaster.queueing.docket_queue import DocketQueue
from scrapemaster.services.accounts import AccountRules, AccountService, signing_key_in
from scrapemaster.services.jobs import JobService
from scrapemaster.services.monitoring import MonitoringService
from scrapemaster.services.results import ResultService
from scrapemaster.settings import Settings
from scrapemaster.storage.sqlite.store import SqliteStore


@dataclass(slots=True, frozen=True)
class CrawlerApp:
    """What crawls: a store, the task engine (not started yet) and the slices it runs."""

    store: Store
    queue: DocketQueue
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
def only_one(settings: Settings, role: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the data folder for one process of a role; raises `StoreBroken` when another has it after `wait` seconds."""
    path = prepare_data_dir(settings) / f"{role}.lock"
    with path.open("a") as file:
        end = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
    """The store, open: MongoDB when it has an address, else a file in the data folder."""
    address = settings.mongodb_url
    store: Store
    if address is not None:
        store = _mongo_store(address.get_secret_value())
    else:
        store = SqliteStore(prepare_data_dir(settings) / "scrapemaster.db")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def _mongo_store(url: str) -> Store:
    try:
        from scrapemaster.storage.mongo.store import MongoStore  # noqa: PLC0415 -- needs an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"pymongo", "bson"}:
            raise
        raise MissingExtra("SCRAPEMASTER_MONGODB_URL", "mongo") from error
    return MongoStore(url)


def build_egress(settings: Settings) -> EgressPolicy:
    """The egress policy with the networks that the settings open."""
    return EgressPolicy([ipaddress.ip_network(network) for network in settings.egress_allow])


def build_engines(settings: Settings) -> Engines:
    """All engines, over one throttle."""
    http = HttpEngine(build_egress(settings), Throttle(settings.host_concurrency))
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


def build_services(
    settings: Settings, store: Store, queue: Queue, watch: JobWatch, crawler_healthy: Callable[[], bool]
) -> ServiceApp:
    """The use cases over an open store."""
    return ServiceApp(
        settings=settings,
        store=store,
        accounts=build_accounts(settings, store),
        jobs=JobService(store, queue, watch, build_engines(settings).get),
        results=ResultService(store),
        monitoring=MonitoringService(store, crawler_healthy, mongodb=settings.mongodb_url is not None),
    )
