"""The `scrapy` engine: pages by plain requests, with Scrapy and its components around them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from scrapemaster.domain.errors import GiveUpPage, MissingExtra, PageError, RetryPage
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.scrapy_settings import ScrapyRules
from scrapemaster.domain.url import host_of
from scrapemaster.engines.roads import Roads
from scrapemaster.engines.way import Way
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.site_rules import SiteRules
from scrapemaster.ports.engine import Parse, Yielded
from scrapemaster.ports.throttle import Throttle

if TYPE_CHECKING:
    from scrapemaster.fetch.scrapy.course import Course


class ScrapyEngine:
    """Makes page sources over shared `Roads`, which are made of what it is given; see `ports.engine.Engine`.

    `rules` say which components and settings jobs may name. Scrapy itself is not loaded before the first page of a job.
    """

    name = "scrapy"

    def __init__(
        self,
        egress: EgressPolicy,
        throttle: Throttle,
        rules: ScrapyRules,
        proxies: ProxyPool | None = None,
        adaptive: Throttle | None = None,
    ) -> None:
        self.roads = Roads(egress, throttle, proxies, adaptive)
        self._rules = rules

    def check(self) -> None:
        """See `ports.engine.Engine`."""
        if find_spec("scrapy") is None:
            raise MissingExtra("the scrapy engine", "scrapy")

    def accept(self, config: JobConfig) -> None:
        """See `ports.engine.Engine`."""
        self._rules.check(config.scrapy_settings)

    def open(self, job: Job) -> ScrapyPageSource:
        """See `ports.engine.Engine`."""
        # Here too: what is allowed may have changed since the job was ordered, and nothing else may be imported.
        self.accept(job.config)
        return ScrapyPageSource(job.config, *self.roads.open(job))

    async def close(self) -> None:
        """See `ports.engine.Engine`."""
        self.roads.close()


class ScrapyPageSource:
    """One job's pages, and the work on them; see `ports.engine.Spidering`."""

    def __init__(self, config: JobConfig, way: Way, rules: SiteRules, throttle: Throttle) -> None:
        self._config = config
        self._way = way
        self._rules = rules
        self._throttle = throttle
        self._cookies = config.scrapy_settings.get("COOKIES_ENABLED") is not False
        codes = config.scrapy_settings.get("RETRY_HTTP_CODES")
        self._codes = None if codes is None else frozenset(codes)
        self._opening: asyncio.Task[Course] | None = None
        self._course: Course | None = None
        self._closed = False

    async def fetch(self, url: str) -> Page:
        """See `ports.engine.PageSource`."""
        course = self._course or await self._opened()
        _, page = await course.run(url, 0, None)
        if page is None:
            raise GiveUpPage("scrapy_dropped", "a component of Scrapy kept the page back")
        return page

    async def spider(self, url: str, depth: int, parse: Parse) -> Yielded:
        """See `ports.engine.Spidering`."""
        course = self._course or await self._opened()
        brought, _ = await course.run(url, depth, parse)
        return brought

    def ready_at(self, url: str) -> float:
        """See `ports.engine.PageSource`."""
        host = host_of(url)
        ready = max(self._throttle.ready_at(host, self._rules.known_delay(url)), self._way.ready_at(host))
        return ready if self._course is None else max(ready, self._course.ready_at(host))

    async def sitemap_urls(self, url: str, limit: int) -> list[str]:
        """See `ports.engine.PageSource`."""
        return await self._rules.sitemap_urls(url, limit)

    async def close(self) -> None:
        """See `ports.engine.PageSource`."""
        self._closed = True
        opening, self._opening = self._opening, None
        if opening is not None:
            await asyncio.gather(opening, return_exceptions=True)
        course, self._course = self._course, None
        if course is not None:
            await course.close()

    async def _opened(self) -> Course:
        """Scrapy, started once for all pages that come at the same time."""
        if self._opening is None:
            if self._closed:
                raise RuntimeError("the page source is closed")
            self._opening = asyncio.create_task(self._start())
        return await asyncio.shield(self._opening)

    async def _start(self) -> Course:
        # It takes a second to load, and other jobs go on meanwhile.
        made = await asyncio.to_thread(_course_class)
        course = made(self._config, self._ask, self._retried)
        try:
            await course.open()
        except BaseException:
            await course.close()
            raise
        self._course = course
        return course

    async def _ask(self, url: str, headers: Mapping[str, str], delay: float) -> Page:
        delay = max(delay, await self._rules.delay_of(url))
        allow = self._rules.check if self._rules.respected else None
        page = await self._way.fetch(url, delay=delay, allow=allow, headers=headers, cookies=self._cookies)
        page.engine = ScrapyEngine.name
        return page

    def _retried(self, refusal: PageError) -> PageError:
        """A refusal as the job's RETRY_HTTP_CODES take it, where it has some."""
        if self._codes is None or refusal.status is None:
            return refusal
        kind = RetryPage if refusal.status in self._codes else GiveUpPage
        if isinstance(refusal, kind):
            return refusal
        other = kind(refusal.reason, refusal.detail, refusal.status)
        other.page, other.elapsed = refusal.page, refusal.elapsed
        return other


def _course_class() -> type[Course]:
    from scrapemaster.fetch.scrapy.course import Course  # noqa: PLC0415 -- an extra, and heavy

    return Course
