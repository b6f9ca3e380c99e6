"""The composition root's part for what answers: the use cases over an open store, which a process that crawls does not load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from scrapemaster.account_parts import build_accounts
from scrapemaster.bootstrap import (
    build_egress,
    build_engines,
    build_isolation,
    build_proxies,
    build_proxy_service,
)
from scrapemaster.data_folder import prepare_exports_dir
from scrapemaster.export.exporter import Exporter
from scrapemaster.ports.board import Board
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
from scrapemaster.services.feeds import JobFeeds
from scrapemaster.services.hooks import JobHooks
from scrapemaster.services.jobs import JobService
from scrapemaster.services.lists import JobListFeeds
from scrapemaster.services.monitoring import MonitoringService
from scrapemaster.services.preview import PreviewService
from scrapemaster.services.projects import ProjectService
from scrapemaster.services.proxies import PoolOrders, ProxyService
from scrapemaster.services.rate_limits import RateLimits
from scrapemaster.services.results import ResultService
from scrapemaster.services.schedules import Orders, ScheduleService
from scrapemaster.services.scrapyd import ScrapydService
from scrapemaster.services.spider_orders import SpiderOrders, check_scrapy
from scrapemaster.services.users import UserService
from scrapemaster.services.webhooks import WebhookService
from scrapemaster.services.windows import Windows
from scrapemaster.settings import Settings
from scrapemaster.spider_parts import cache_of, limits_of
from scrapemaster.spiders.process import spiders_of

#: Seconds in which a project must have named its spiders.
_LIST_SECONDS = 30.0


@dataclass(slots=True, frozen=True)
class SpiderServices:
    """The use cases around spiders of others."""

    projects: ProjectService
    scrapyd: ScrapydService


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


def build_spider_services(settings: Settings, store: Store, jobs: JobService) -> SpiderServices:
    """The use cases over an open store."""
    cache, limits = cache_of(settings, store), limits_of(settings)

    async def lister(path: Path, module: str) -> tuple[list[str], str | None]:
        return await spiders_of(limits, path, module, _LIST_SECONDS)

    projects = ProjectService(store.projects, cache, lister, check_scrapy, settings.max_request_bytes)
    return SpiderServices(projects, ScrapydService(jobs))
