"""The `http` engine: pages by plain requests."""

from __future__ import annotations

from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.url import host_of
from scrapemaster.engines.roads import Roads
from scrapemaster.engines.way import Way
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.site_rules import SiteRules
from scrapemaster.ports.throttle import Throttle


class HttpEngine:
    """Makes page sources over shared `Roads`, which are made of what it is given; see `ports.engine.Engine`."""

    name = "http"

    def __init__(
        self,
        egress: EgressPolicy,
        throttle: Throttle,
        proxies: ProxyPool | None = None,
        adaptive: Throttle | None = None,
    ) -> None:
        self.roads = Roads(egress, throttle, proxies, adaptive)

    def check(self) -> None:
        """See `ports.engine.Engine`."""

    def accept(self, config: JobConfig) -> None:
        """See `ports.engine.Engine`."""

    def open(self, job: Job) -> HttpPageSource:
        """See `ports.engine.Engine`."""
        return HttpPageSource(*self.roads.open(job))

    async def close(self) -> None:
        """See `ports.engine.Engine`."""
        self.roads.close()


class HttpPageSource:
    """One job's pages; see `ports.engine.PageSource`. What it is made of is there for those who fetch beside it."""

    def __init__(self, way: Way, rules: SiteRules, throttle: Throttle) -> None:
        self.way = way
        self.rules = rules
        self.throttle = throttle

    async def fetch(self, url: str) -> Page:
        """See `ports.engine.PageSource`."""
        delay = await self.rules.delay_of(url)
        allow = self.rules.check if self.rules.respected else None
        return await self.way.fetch(url, delay=delay, allow=allow)

    def ready_at(self, url: str) -> float:
        """See `ports.engine.PageSource`."""
        host = host_of(url)
        return max(self.throttle.ready_at(host, self.rules.known_delay(url)), self.way.ready_at(host))

    async def sitemap_urls(self, url: str, limit: int) -> list[str]:
        """See `ports.engine.PageSource`."""
        return await self.rules.sitemap_urls(url, limit)

    async def close(self) -> None:
        """See `ports.engine.PageSource`. Connections belong to the engine's pool, which lets idle ones go."""
