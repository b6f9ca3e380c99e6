"""The composition root: settings in, working parts out. Nothing else builds adapters."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.recorder import FlightRecorder, Recorder
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.delivery.sender import WebhookSender
from scrapemaster.domain.errors import InvalidSetting, StoreBroken
from scrapemaster.domain.job import EngineName, Priority
from scrapemaster.domain.rate_limit import parse_rate_limit
from scrapemaster.engines.http import HttpEngine
from scrapemaster.engines.registry import Engines
from scrapemaster.export.exporter import Exporter
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.queue import Queue
from scrapemaster.ports.store import Store
from scrapemaster.ports.watch import JobWatch
from scrapemaster.ports.webhooks import Courier
from scrapemaster.queueing.docket_queue import DocketQueue
from scrapemaster.services.accounts import AccountRules, AccountService, signing_key_in
from scrapemaster.services.api_keys import ApiKeyService
from scrapemaster.services.callers import Callers
from scrapemaster.services.changes import ChangesService
from scrapemaster.services.dispatch import Dispatcher, PokingEvents
from scrapemaster.services.feeds import JobFeeds
from scrapemaster.services.hooks import JobHooks
from scrapemaster.services.jobs import JobService
from scrapemaster.services.lists import JobListFeeds
from scrapemaster.services.monitoring import MonitoringService
from scrapemaster.services.preview import PreviewService
from scrapemaster.services.rate_limits import RateLimits
from scrapemaster.services.results import ResultService
from scrapemaster.services.schedules import Orders, Scheduler, ScheduleService
from scrapemaster.services.tokens import Tokens
from scrapemaster.services.users import Removal, UserService
from scrapemaster.services.webhooks import WebhookService
from scrapemaster.services.windows import Windows
from scrapemaster.settings import Settings
from scrapemaster.storage.sqlite.store import SqliteStore


@dataclass(slots=True, frozen=True)
class CrawlerApp:
    """What crawls: a store, the task engine (not started yet), the slices it runs, and what sends webhooks."""

    store: Store
    queue: DocketQueue
    runner: SliceRunner
    dispatcher: Dispatcher
    scheduler: Scheduler


@dataclass(slots=True, frozen=True)
class ServiceApp:
    """What answers: the use cases over an open store."""

    settings: Settings
    store: Store
    callers: Callers
    limits: RateLimits
    accounts: AccountService
    api_keys: ApiKeyService
    users: UserService
    jobs: JobService
    results: ResultService
    monitoring: MonitoringService
    webhooks: WebhookService
    feeds: JobFeeds
    schedules: ScheduleService
    exporter: Exporter
    preview: PreviewService
    lists: JobListFeeds
    changes: ChangesService


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


def prepare_exports_dir(settings: Settings) -> Path:
    """The folder for files that are written before they are sent, emptied of what a killed service left there."""
    folder = prepare_data_dir(settings) / "exports"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)
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


def build_engines(settings: Settings) -> Engines:
    """All engines, over one throttle."""
    http = HttpEngine(build_egress(settings), Throttle(settings.host_concurrency))
    return Engines({EngineName.HTTP: http, EngineName.AUTO: http})


def build_isolation(settings: Settings) -> Isolation:
    """The processes for pages that could hang or crash whoever works on them."""
    return Isolation(settings.extract_seconds, settings.extract_memory)


def flight_recorder(settings: Settings) -> FlightRecorder:
    """Where the crawler writes which page it is extracting."""
    return FlightRecorder(prepare_data_dir(settings) / "crawler.page")


@contextlib.asynccontextmanager
async def crawler_app(settings: Settings, events: EventSink, recorder: Recorder) -> AsyncIterator[CrawlerApp]:
    """The parts of a crawler process; the queue is to be entered by the caller."""
    async with open_store(settings) as store, contextlib.AsyncExitStack() as stack:
        engines = build_engines(settings)
        stack.push_async_callback(engines.close)
        isolation = build_isolation(settings)
        stack.push_async_callback(isolation.close)
        sender = WebhookSender(build_egress(settings))
        stack.push_async_callback(sender.close)
        dispatcher = Dispatcher(store.webhooks, sender)
        runner = SliceRunner(
            store, engines.get, PokingEvents(events, dispatcher), isolation, recorder=recorder
        )
        stack.push_async_callback(runner.close)
        queue = DocketQueue(
            "memory://",
            runner.run,
            runner.poke,
            store.jobs,
            dict.fromkeys(Priority, settings.crawler_places),
        )
        orders = Orders(engines.get, JobHooks(store.webhooks, build_egress(settings)))
        yield CrawlerApp(store, queue, runner, dispatcher, Scheduler(store, queue, orders))


@dataclass(slots=True, frozen=True)
class AccountsApp:
    """The use cases around accounts."""

    callers: Callers
    limits: RateLimits
    accounts: AccountService
    api_keys: ApiKeyService
    users: UserService


def build_accounts(settings: Settings, store: Store, removals: Sequence[Removal] = ()) -> AccountsApp:
    """The use cases of accounts over an open store. `removals` take away what a user owns when it is deleted."""
    given, password = settings.secret_key, settings.admin_password
    rules = AccountRules(
        registration=settings.registration,
        register_limit=parse_rate_limit(settings.register_limit),
        admin_username=settings.admin_username,
        admin_password=password.get_secret_value() if password else None,
    )
    key = given.get_secret_value() if given else signing_key_in(prepare_data_dir(settings))
    tokens = Tokens(key, settings.token_ttl)
    windows = Windows()
    accounts = AccountService(store.users, rules, tokens, windows)
    return AccountsApp(
        callers=Callers(store.users, store.api_keys, tokens),
        limits=RateLimits(
            windows, parse_rate_limit(settings.rate_limit), parse_rate_limit(settings.dashboard_rate_limit)
        ),
        accounts=accounts,
        api_keys=ApiKeyService(store.api_keys),
        users=UserService(store.users, accounts, removals),
    )


def build_services(
    settings: Settings,
    store: Store,
    queue: Queue,
    watch: JobWatch,
    crawler_healthy: Callable[[], bool],
    *,
    courier: Courier,
) -> ServiceApp:
    """The use cases over an open store."""
    egress = build_egress(settings)
    hooks = JobHooks(store.webhooks, egress)
    webhooks = WebhookService(store.webhooks, egress, courier, at_most=settings.max_webhooks)
    engines = build_engines(settings)
    jobs = JobService(store, queue, watch, engines.get, hooks)
    schedules = ScheduleService(store, queue, Orders(engines.get, hooks), settings.schedules_per_user)
    # Whatever else a user owns is to be removed here too; jobs last, as schedules make them.
    removals = [webhooks.remove_all_of, schedules.remove_all_of, jobs.remove_all_of]
    account = build_accounts(settings, store, removals)
    return ServiceApp(
        settings=settings,
        store=store,
        callers=account.callers,
        limits=account.limits,
        accounts=account.accounts,
        api_keys=account.api_keys,
        users=account.users,
        jobs=jobs,
        results=ResultService(store),
        monitoring=MonitoringService(store, crawler_healthy),
        webhooks=webhooks,
        feeds=JobFeeds(store, watch),
        schedules=schedules,
        exporter=Exporter(prepare_exports_dir(settings)),
        preview=PreviewService(engines.get, build_isolation(settings)),
        lists=JobListFeeds(store),
        changes=ChangesService(store),
    )
