"""The part of the composition root that is about spiders of others."""

from __future__ import annotations

from collections.abc import Callable

from scrapemaster.data_folder import prepare_data_dir
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.ports.events import EventSink
from scrapemaster.ports.store import Store
from scrapemaster.services.spider_orders import check_scrapy
from scrapemaster.settings import Settings
from scrapemaster.spiders.cache import ProjectCache
from scrapemaster.spiders.process import Limits
from scrapemaster.spiders.runner import SpiderRules, SpiderRunner


def limits_of(settings: Settings) -> Limits:
    """What the process of a spider may take."""
    return Limits(
        memory=settings.spider_memory * 1024 * 1024,
        cpu=settings.spider_cpu_seconds,
        file=settings.spider_file_bytes,
        sandbox=settings.spider_sandbox,
    )


def cache_of(settings: Settings, store: Store) -> ProjectCache:
    """Where this machine has projects unpacked."""
    return ProjectCache(store.projects, prepare_data_dir(settings) / "spiders", settings.spider_project_bytes)


def build_spiders(  # noqa: PLR0917 -- called in one place
    settings: Settings,
    store: Store,
    events: EventSink,
    egress: EgressPolicy,
    worker: str | None,
    clock: Callable[[], float],
) -> SpiderRunner:
    """What runs spiders in this process; `worker` is a name that no other worker of a fleet has."""
    rules = SpiderRules(
        limits=limits_of(settings),
        places=settings.spider_places,
        seconds=settings.spider_seconds,
        stop_seconds=settings.spider_stop_seconds,
        pause_seconds=settings.spider_pause_seconds,
    )
    cache = cache_of(settings, store)
    return SpiderRunner(
        store, cache, egress, events, rules=rules, check=check_scrapy, worker=worker, clock=clock
    )
