"""The `http` engine: pages by plain requests."""

from __future__ import annotations

from typing import Any

from scrapemaster.domain.errors import PageError, PostponePage
from scrapemaster.domain.job import Job
from scrapemaster.domain.page import Page
from scrapemaster.domain.proxy import is_pool, pool_tag
from scrapemaster.domain.url import host_of, join_url, origin_of
from scrapemaster.engines.rotation import Rotation
from scrapemaster.extract.barrier import barrier_of
from scrapemaster.fetch.client import ClientPool
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.http import HttpFetcher
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.robots import ROBOT_NAME, ROBOTS_BYTES, RobotsCache, Rules
from scrapemaster.fetch.sessions import Sessions
from scrapemaster.fetch.sitemap import SITEMAP_BYTES, parse_sitemap
from scrapemaster.fetch.throttle import Throttle

#: Sitemap files read for a site at most.
_SITEMAP_FILES = 500


class HttpEngine:
    """Makes page sources over one egress policy, throttle and client pool; see `ports.engine.Engine`."""

    name = "http"

    def __init__(self, egress: EgressPolicy, throttle: Throttle, proxies: ProxyPool | None = None) -> None:
        self._proxies = proxies
        self._egress = egress
        self._throttle = throttle
        self._pool = ClientPool()
        self._robots = RobotsCache()

    def open(self, job: Job) -> HttpPageSource:
        """See `ports.engine.Engine`."""
        fetcher = HttpFetcher(job.config, list(job.urls), self._egress, self._throttle, self._pool)
        rotation = None
        if self._proxies is not None and is_pool(job.config.proxy):
            tag = pool_tag(job.config.proxy)
            sessions = Sessions(self._proxies, fetcher.new_session, tag, job.config.concurrency)
            rotation = Rotation(self._proxies, sessions)
        return HttpPageSource(job, fetcher, self._robots, self._throttle, rotation)

    async def close(self) -> None:
        """See `ports.engine.Engine`."""
        self._pool.close()
        if self._proxies is not None:
            await self._proxies.close()


class HttpPageSource:
    """One job's pages; see `ports.engine.PageSource`."""

    def __init__(
        self,
        job: Job,
        fetcher: HttpFetcher,
        robots: RobotsCache,
        throttle: Throttle,
        rotation: Rotation | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._rotation = rotation
        self._tag = pool_tag(job.config.proxy)
        self._robots = robots
        self._throttle = throttle
        self._delay = job.config.delay
        self._respect = job.config.respect_robots
        self._robot = job.config.user_agent or ROBOT_NAME

    async def fetch(self, url: str) -> Page:
        """See `ports.engine.PageSource`."""
        if not self._respect:
            return await self._fetch(url, delay=self._delay)
        rules = self._robots.known(origin_of(url), self._robot) or await self._rules(url)
        rules.check(url)
        delay = max(self._delay, rules.delay)
        return await self._fetch(url, delay=delay, allow=self._check)

    def ready_at(self, url: str) -> float:
        """See `ports.engine.PageSource`."""
        delay = self._delay
        if self._respect and (rules := self._robots.known(origin_of(url), self._robot)) is not None:
            delay = max(delay, rules.delay)
        host = host_of(url)
        ready_at = self._throttle.ready_at(host, delay)
        if self._rotation is None:
            return ready_at
        return max(ready_at, self._rotation.ready_at(host, self._tag))

    async def sitemap_urls(self, url: str, limit: int) -> list[str]:
        """See `ports.engine.PageSource`."""
        try:
            rules = await self._rules(url)
            rules.check(url)
            waiting = rules.sitemaps
        except (PageError, PostponePage):
            waiting = []
        waiting = waiting[::-1] or [f"{origin_of(url)}/sitemap.xml"]
        seen: set[str] = set()
        pages: dict[str, None] = {}
        while waiting and len(seen) < _SITEMAP_FILES and len(pages) < limit:
            sitemap = join_url(url, waiting.pop())
            if sitemap is None or sitemap in seen:
                continue
            seen.add(sitemap)
            try:
                page = await self._fetch(sitemap, delay=self._delay, limit=SITEMAP_BYTES)
            except (PageError, PostponePage):
                continue
            found = parse_sitemap(page.body)
            waiting.extend(reversed(found.sitemaps))
            for location in found.pages:
                if (target := join_url(sitemap, location)) is not None:
                    pages[target] = None
        return list(pages)[:limit]

    async def close(self) -> None:
        """See `ports.engine.PageSource`. Connections belong to the engine's pool, which lets idle ones go."""

    async def _check(self, url: str) -> None:
        """A redirect's target must be allowed too."""
        (await self._rules(url)).check(url)

    async def _rules(self, url: str) -> Rules:
        return await self._robots.rules(url, self._robot, self._fetch_robots)

    async def _fetch_robots(self, url: str) -> Page:
        return await self._fetch(url, limit=ROBOTS_BYTES, truncate=True)

    async def _fetch(self, url: str, **options: Any) -> Page:
        """Fetch over the pool, or over the job's one session, which is given up when it is blocked."""
        fetcher = self._fetcher
        if self._rotation is not None:
            return await self._rotation.page(
                url, lambda session: fetcher.fetch(url, session=session, **options)
            )
        session = fetcher.session
        try:
            return await fetcher.fetch(url, session=session, **options)
        except PageError as error:
            if error.page is not None and session is fetcher.session and _is_block(error.page, url):
                fetcher.renew()
            raise


def _is_block(page: Page, url: str) -> bool:
    barrier = barrier_of(page, url)
    return barrier is not None and barrier.reason in {"blocked", "challenge"}
