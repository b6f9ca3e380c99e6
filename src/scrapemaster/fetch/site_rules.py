"""What a site says of itself to robots: what may be fetched, how often, and which pages there are."""

from __future__ import annotations

from typing import Any, Protocol

from scrapemaster.domain.errors import PageError, PostponePage
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.url import join_url, origin_of
from scrapemaster.fetch.robots import ROBOT_NAME, ROBOTS_BYTES, RobotsCache, Rules
from scrapemaster.fetch.sitemap import SITEMAP_BYTES, parse_sitemap

#: Sitemap files read for a site at most.
_SITEMAP_FILES = 500


class Fetcher(Protocol):
    """Fetches a page under the job's config; see `fetch.http.HttpFetcher.fetch` for its options."""

    async def fetch(self, url: str, **options: Any) -> Page:
        """The page; any other end is raised."""


class SiteRules:
    """robots.txt and sitemaps as one job sees them, whatever engine drives its pages."""

    def __init__(self, config: JobConfig, fetcher: Fetcher, robots: RobotsCache) -> None:
        self._fetcher = fetcher
        self._robots = robots
        self._delay = config.delay
        self._respect = config.respect_robots
        self._robot = config.user_agent or ROBOT_NAME

    @property
    def respected(self) -> bool:
        """Whether the job obeys robots.txt."""
        return self._respect

    async def delay_of(self, url: str) -> float:
        """Seconds to keep between fetches from the host of `url`; raises `PageError` when the URL must not be fetched."""
        if not self._respect:
            return self._delay
        rules = self._robots.known(origin_of(url), self._robot) or await self._rules(url)
        rules.check(url)
        return max(self._delay, rules.delay)

    def known_delay(self, url: str) -> float:
        """The same as far as it is known without asking."""
        if self._respect and (rules := self._robots.known(origin_of(url), self._robot)) is not None:
            return max(self._delay, rules.delay)
        return self._delay

    async def check(self, url: str) -> None:
        """Raise `PageError` when the job must not fetch the URL, such as a redirect's target."""
        if self._respect:
            (await self._rules(url)).check(url)

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
                page = await self._fetcher.fetch(sitemap, delay=self._delay, limit=SITEMAP_BYTES)
            except (PageError, PostponePage):
                continue
            found = parse_sitemap(page.body)
            waiting.extend(reversed(found.sitemaps))
            for location in found.pages:
                if (target := join_url(sitemap, location)) is not None:
                    pages[target] = None
        return list(pages)[:limit]

    async def _rules(self, url: str) -> Rules:
        return await self._robots.rules(url, self._robot, self._fetch_robots)

    async def _fetch_robots(self, url: str) -> Page:
        return await self._fetcher.fetch(url, limit=ROBOTS_BYTES, truncate=True)
