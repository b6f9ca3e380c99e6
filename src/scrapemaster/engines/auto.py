"""The `auto` engine: pages by plain requests, and by a browser where that pays.

It fetches either way; which one a page needs is decided where its rows are seen (`crawl.choosing`), by `domain.escalation`.
"""

from __future__ import annotations

from dataclasses import replace

from scrapemaster.domain.errors import GiveUpPage, UserError
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.rendering import SETTLED
from scrapemaster.engines.browser import BrowserEngine, BrowserPageSource
from scrapemaster.engines.http import HttpEngine, HttpPageSource


class AutoEngine:
    """Makes page sources over the two engines, which are closed by whoever made them; see `ports.engine.Engine`."""

    name = "auto"

    def __init__(self, http: HttpEngine, browser: BrowserEngine) -> None:
        self._http = http
        self._browser = browser

    def check(self) -> None:
        """See `ports.engine.Engine`. Without a browser it stays with plain requests."""

    def accept(self, config: JobConfig) -> None:
        """See `ports.engine.Engine`."""

    def open(self, job: Job) -> AutoPageSource:
        """See `ports.engine.Engine`."""
        try:
            self._browser.check()
        except UserError as error:
            return AutoPageSource(job, self._http.open(job), None, str(error))
        return AutoPageSource(job, self._http.open(job), self._browser)

    async def close(self) -> None:
        """See `ports.engine.Engine`."""


class AutoPageSource:
    """One job's pages; see `ports.engine.PageSource` and `ports.engine.Rendering`. Both ways share sessions, proxies and rules."""

    def __init__(
        self, job: Job, plain: HttpPageSource, browser: BrowserEngine | None, lacking: str | None = None
    ) -> None:
        rendering = job.config.browser
        if rendering.wait_for is None and rendering.wait_until == "load":
            # Many applications ask for their data after the `load` event, and nobody said what they show then.
            rendering = replace(rendering, wait_until=SETTLED)
        self.lacking = lacking
        self._job = replace(job, config=replace(job.config, browser=rendering, impersonate=None))
        self._plain = plain
        self._browser = browser
        self._rendered: BrowserPageSource | None = None

    async def fetch(self, url: str) -> Page:
        """See the port."""
        return await self._plain.fetch(url)

    async def render(self, url: str) -> Page:
        """See the port."""
        if self._browser is None:
            raise GiveUpPage("missing_browser", self.lacking or "there is no browser")
        if self._rendered is None:
            # Only now: a browser's pool keeps browsers for those who joined it.
            plain = self._plain
            self._rendered = self._browser.over(self._job, plain.way, plain.rules, plain.throttle, aside=True)
        return await self._rendered.fetch(url)

    def ready_at(self, url: str) -> float:
        """See the port."""
        return self._plain.ready_at(url)

    async def sitemap_urls(self, url: str, limit: int) -> list[str]:
        """See the port."""
        return await self._plain.sitemap_urls(url, limit)

    async def close(self) -> None:
        """See the port."""
        await self._plain.close()
        if self._rendered is not None:
            await self._rendered.close()
