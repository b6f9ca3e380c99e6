"""The composition root: settings in, working parts out. Nothing else builds adapters."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.recorder import Recorder
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.data_folder import (
    DiskReserve,
)
from scrapemaster.delivery.sender import WebhookSender
from scrapemaster.domain.job import EngineName, Priority
from scrapemaster.domain.scrapy_settings import ScrapyRules
from scrapemaster.engines.auto import AutoEngine
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.engines.http import HttpEngine
from scrapemaster.engines.registry import Engines
from scrapemaster.engines.scrapy import ScrapyEngine
from scrapemaster.fetch.adaptive import AdaptiveThrottle
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.throttle import Throttle as LocalThrottle
from scrapemaster.ports.engine import Engine
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.store import Store
from scrapemaster.ports.throttle import Throttle
from scrapemaster.ports.tracing import Tracer
from scrapemaster.services.clock import StoreClock
from scrapemaster.services.dispatch import Dispatcher, PokingEvents
from scrapemaster.services.hooks import JobHooks
from scrapemaster.services.proxies import PoolOrders, ProxyService
from scrapemaster.services.proxy_keeper import ProxyKeeper
from scrapemaster.services.schedules import Orders, Scheduler
from scrapemaster.services.spider_orders import SpiderOrders
from scrapemaster.settings import Settings
from scrapemaster.spider_parts import build_spiders
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
