"""The composition root: settings in, working parts out. Nothing else builds adapters."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrapemaster.account_parts import build_accounts
from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.recorder import Recorder
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.data_folder import (
    DiskReserve,
    prepare_exports_dir,
)
from scrapemaster.delivery.sender import WebhookSender
from scrapemaster.domain.job import EngineName, Priority
from scrapemaster.domain.scrapy_settings import ScrapyRules
from scrapemaster.engines.auto import AutoEngine
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.engines.http import HttpEngine
from scrapemaster.engines.registry import Engines
from scrapemaster.engines.scrapy import ScrapyEngine
from scrapemaster.export.exporter import Exporter
from scrapemaster.fetch.adaptive import AdaptiveThrottle
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.throttle import Throttle as LocalThrottle
from scrapemaster.ports.board import Board
from scrapemaster.ports.engine import Engine
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.queue import Queue
from scrapemaster.ports.store import Store
from scrapemaster.ports.throttle import Throttle
from scrapemaster.ports.tracing import Tracer
from scrapemaster.ports.watch import JobWatch
from scrapemaster.ports.webhooks import Courier
from scrapemaster.ports.workers import Workers
from scrapemaster.services.accounts import AccountService
from scrapemaster.services.api_keys import ApiKeyService
from scrapemaster.services.artefacts import ArtefactService
from scrapemaster.services.callers import Callers
from scrapemaster.services.changes import ChangesService
from scrapemaster.services.clock import StoreClock
from scrapemaster.services.dispatch import Dispatcher, PokingEvents
from scrapemaster.services.feeds import JobFeeds
from scrapemaster.services.hooks import JobHooks
from scrapemaster.services.jobs import JobService
from scrapemaster.services.lists import JobListFeeds
from scrapemaster.services.monitoring import MonitoringService
from scrapemaster.services.preview import PreviewService
from scrapemaster.services.proxies import PoolOrders, ProxyService
from scrapemaster.services.proxy_keeper import ProxyKeeper
from scrapemaster.services.rate_limits import RateLimits
from scrapemaster.services.results import ResultService
from scrapemaster.services.schedules import Orders, Scheduler, ScheduleService
from scrapemaster.services.spider_orders import SpiderOrders
from scrapemaster.services.users import UserService
from scrapemaster.services.webhooks import WebhookService
from scrapemaster.services.windows import Windows
from scrapemaster.settings import Settings
from scrapemaster.spider_parts import SpiderServices, build_spider_services, build_spiders
from scrapemaster.stores import open_store
from scrapemaster.tracer_parts import build_tracer

if TYPE_CHECKING:
    from scrapemaster.queueing.docket_queue import DocketQueue
    from scrapemaster.queueing.fleet_queue import FleetWorker


@dataclass(slots=True, frozen=True)
class CrawlerApp:
    """What crawls: a store, the task engine (not started yet), the slices it runs, and what sends webhooks."""

    store: Store
    queue: DocketQueue | FleetWorker
    runner: SliceRunner
    dispatcher: Dispatcher
    scheduler: Scheduler
    keeper: ProxyKeeper


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
    artefacts: ArtefactService
    preview: PreviewService
    proxies: ProxyService
    spiders: SpiderServices
    lists: JobListFeeds
    changes: ChangesService
    board: Board | None = None
    tracer: Tracer | None = None


def build_egress(settings: Settings) -> EgressPolicy:
    """The egress policy with the networks that the settings open."""
    return EgressPolicy([ipaddress.ip_network(network) for network in settings.egress_allow])


def build_proxies(settings: Settings, store: Store) -> ProxyPool:
    """The proxy pool as this process uses it."""
    return ProxyPool(store.proxies, ban_rest=settings.proxy_rest, longest_wait=settings.proxy_wait)


def build_engines(settings: Settings, proxies: ProxyPool, throttle: Throttle | None = None) -> Engines:
    """All engines, over one proxy pool and one throttle: this process's own if none is given."""
    egress, throttle = build_egress(settings), throttle or LocalThrottle(settings.host_concurrency)
    adaptive = AdaptiveThrottle(throttle, settings.host_concurrency)
    http = HttpEngine(egress, throttle, proxies, adaptive)
    rules = PoolRules(
        executable=settings.browser_executable,
        sandbox=settings.browser_sandbox,
        processes=settings.browser_processes,
        pages=settings.browser_pages,
        recycle_pages=settings.browser_recycle_pages,
        recycle_seconds=settings.browser_recycle_seconds,
        recycle_memory=settings.browser_recycle_memory * 1024 * 1024,
        idle_seconds=settings.browser_idle_seconds,
    )
    browser = BrowserEngine(egress, throttle, rules, settings.browser_page_bytes, proxies, adaptive=adaptive)
    scrapy_rules = ScrapyRules(frozenset(settings.scrapy_components), settings.scrapy_settings)
    scrapy = ScrapyEngine(egress, throttle, scrapy_rules, proxies, adaptive)
    engines: dict[EngineName, Engine] = {
        EngineName.HTTP: http,
        EngineName.AUTO: AutoEngine(http, browser),
        EngineName.BROWSER: browser,
        EngineName.SCRAPY: scrapy,
    }
    return Engines(engines, proxies.close)


def build_proxy_service(settings: Settings, store: Store) -> ProxyService:
    """The use cases of the proxy pool over an open store."""
    return ProxyService(store.proxies, build_egress(settings))


def build_isolation(settings: Settings) -> Isolation:
    """The processes for pages that could hang or crash whoever works on them."""
    return Isolation(settings.extract_seconds, settings.extract_memory)


@dataclass(slots=True, frozen=True)
class Crawling:
    """What crawls, beside the task engine."""

    runner: SliceRunner
    dispatcher: Dispatcher
    orders: Orders
    clock: StoreClock


async def build_crawling(  # noqa: PLR0917 -- called in two places
    settings: Settings,
    store: Store,
    engines: Engines,
    events: EventSink,
    recorder: Recorder | None,
    stack: contextlib.AsyncExitStack,
    worker: str | None = None,
    tracer: Tracer | None = None,
) -> Crawling:
    """What crawls over an open store, beside the task engine; closed with `stack`. `worker` is a name that no other worker has."""
    stack.push_async_callback(engines.close)
    isolation = build_isolation(settings)
    stack.push_async_callback(isolation.close)
    sender = WebhookSender(build_egress(settings))
    stack.push_async_callback(sender.close)
    clock = await stack.enter_async_context(StoreClock(store))
    dispatcher = Dispatcher(store.webhooks, sender, holder=worker, clock=clock)
    reserve = None if settings.mongodb_url is not None else DiskReserve(settings)
    if reserve is not None:
        reserve.keep()
    poking = PokingEvents(events, dispatcher)
    runner = SliceRunner(
        store,
        engines.get,
        poking,
        isolation,
        recorder=recorder,
        worker=worker,
        artefact_bytes=settings.artefact_bytes,
        tracer=tracer,
        clock=clock,
        reserve=reserve,
        spiders=build_spiders(settings, store, poking, build_egress(settings), worker, clock),
    )
    stack.push_async_callback(runner.close)
    hooks = JobHooks(store.webhooks, build_egress(settings))
    orders = Orders(engines.get, hooks, PoolOrders(store.proxies), SpiderOrders(store.projects))
    return Crawling(runner, dispatcher, orders, clock)


@contextlib.asynccontextmanager
async def crawler_app(settings: Settings, events: EventSink, recorder: Recorder) -> AsyncIterator[CrawlerApp]:
    """The parts of a crawler process; the queue is to be entered by the caller."""
    from scrapemaster.queueing.docket_queue import DocketQueue  # noqa: PLC0415 -- heavy, and not for API processes

    async with open_store(settings) as store, contextlib.AsyncExitStack() as stack:
        tracer = stack.enter_context(build_tracer(settings, "crawler"))
        engines = build_engines(settings, build_proxies(settings, store))
        parts = await build_crawling(settings, store, engines, events, recorder, stack, tracer=tracer)
        queue = DocketQueue(
            "memory://",
            parts.runner.run,
            parts.runner.poke,
            store.jobs,
            dict.fromkeys(Priority, settings.crawler_places),
            tracer,
        )
        scheduler = Scheduler(store, queue, parts.orders, parts.clock)
        keeper = ProxyKeeper(store.proxies, build_egress(settings))
        yield CrawlerApp(store, queue, parts.runner, parts.dispatcher, scheduler, keeper)


def build_services(
    settings: Settings,
    store: Store,
    queue: Queue,
    watch: JobWatch,
    workers: Workers,
    *,
    courier: Courier,
    windows: Windows | None = None,
    ping_redis: Callable[[], Awaitable[None]] | None = None,
    board: Board | None = None,
    tracer: Tracer | None = None,
    throttle: Throttle | None = None,
) -> ServiceApp:
    """The use cases over an open store. `windows`, `ping_redis`, `board` and `throttle` are a fleet's; None when there is none."""
    fleet = ping_redis is not None
    egress = build_egress(settings)
    hooks = JobHooks(store.webhooks, egress)
    webhooks = WebhookService(store.webhooks, egress, courier, at_most=settings.max_webhooks)
    engines = build_engines(settings, build_proxies(settings, store), throttle)
    pool = PoolOrders(store.proxies)
    proxies = build_proxy_service(settings, store)
    spiders = SpiderOrders(store.projects)
    jobs = JobService(store, queue, watch, engines.get, hooks, pool=pool, spiders=spiders, tracer=tracer)
    orders = Orders(engines.get, hooks, pool, spiders)
    schedules = ScheduleService(store, queue, orders, settings.schedules_per_user)
    # Whatever else a user owns is to be removed here too; jobs last, as schedules make them.
    removals = [webhooks.remove_all_of, schedules.remove_all_of, jobs.remove_all_of]
    account = build_accounts(settings, store, removals, windows)
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
        monitoring=MonitoringService(
            store, workers, ping_redis, proxies=proxies, mongodb=settings.mongodb_url is not None
        ),
        webhooks=webhooks,
        feeds=JobFeeds(store, watch),
        schedules=schedules,
        exporter=Exporter(prepare_exports_dir(settings, shared=fleet)),
        artefacts=ArtefactService(store),
        preview=PreviewService(engines.get, build_isolation(settings), pool, engines.close),
        proxies=proxies,
        spiders=build_spider_services(settings, store, jobs),
        lists=JobListFeeds(store),
        changes=ChangesService(store),
        board=board,
        tracer=tracer,
    )
