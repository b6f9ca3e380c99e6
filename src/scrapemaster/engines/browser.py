"""The `browser` engine: pages as a browser shows them, scripts run."""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from scrapemaster.domain.errors import PageError, RetryPage
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.proxy import Proxy, address_of
from scrapemaster.domain.url import host_of
from scrapemaster.engines.roads import Roads
from scrapemaster.engines.way import Way
from scrapemaster.fetch.adaptive import adapts
from scrapemaster.fetch.browser.chromium import find_chromium
from scrapemaster.fetch.browser.cookies import CookieJar
from scrapemaster.fetch.browser.driver import check_installed
from scrapemaster.fetch.browser.pool import Pool, PoolRules
from scrapemaster.fetch.browser.traffic import Manners
from scrapemaster.fetch.browser.visit import Terms, Visit
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.http import harmless, home_origins
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.session import Session
from scrapemaster.fetch.site_rules import SiteRules
from scrapemaster.ports.throttle import Throttle

#: Times a page is loaded when the whole browser ends under it: another page may be to blame for that.
_TRIES = 2


class BrowserEngine:
    """Makes page sources over one pool of browsers; see `ports.engine.Engine`.

    `page_bytes` is what a page and all that it loads may have together.
    """

    name = "browser"

    def __init__(
        self,
        egress: EgressPolicy,
        throttle: Throttle,
        rules: PoolRules,
        page_bytes: int,
        proxies: ProxyPool | None = None,
        *,
        adaptive: Throttle | None = None,
    ) -> None:
        self.pool = Pool(rules)
        self.roads = Roads(egress, throttle, proxies, adaptive)
        self._rules = rules
        self._page_bytes = page_bytes
        self._checked = False

    def check(self) -> None:
        """See `ports.engine.Engine`."""
        if not self._checked:
            check_installed()
            find_chromium(self._rules.executable)
            self._checked = True

    def accept(self, config: JobConfig) -> None:
        """See `ports.engine.Engine`."""

    def open(self, job: Job) -> BrowserPageSource:
        """See `ports.engine.Engine`."""
        return self.over(job, *self.roads.open(job))

    def over(
        self, job: Job, way: Way, rules: SiteRules, throttle: Throttle, *, aside: bool = False
    ) -> BrowserPageSource:
        """A page source over sessions and rules that are there already. `aside`: plain requests go to the same hosts."""
        self.pool.join()
        egress = self.roads.egress
        return BrowserPageSource(
            job, way, rules, egress, throttle, pool=self.pool, page_bytes=self._page_bytes, aside=aside
        )

    async def close(self) -> None:
        """See `ports.engine.Engine`."""
        await self.pool.close()
        self.roads.close()


class BrowserPageSource:
    """One job's pages; see `ports.engine.PageSource`."""

    def __init__(
        self,
        job: Job,
        way: Way,
        rules: SiteRules,
        egress: EgressPolicy,
        throttle: Throttle,
        *,
        pool: Pool,
        page_bytes: int,
        aside: bool = False,
    ) -> None:
        config = job.config
        self._job_id = job.id
        self._way = way
        self._rules = rules
        self._egress = egress
        self._throttle = throttle
        self._adapting = adapts(throttle)
        self._aside = aside
        self._pool = pool
        self._open = True
        home = home_origins(job.urls)
        self._jars: WeakKeyDictionary[Session, CookieJar] = WeakKeyDictionary()
        self._new_jar = functools.partial(CookieJar, config.cookies, sorted(home))
        headers = harmless(config.headers)
        named = {name.lower(): value for name, value in config.headers.items()}
        headers = {name: value for name, value in headers.items() if name.lower() != "user-agent"}
        manners = Manners(
            config.browser.block_resources,
            {name: value for name, value in config.headers.items() if name not in harmless(config.headers)},
            frozenset(home),
            config.max_body_bytes,
            self._allow,
            lambda _: None,
        )
        agent = config.user_agent or named.get("user-agent")
        self._terms = Terms(config, headers, manners, agent, None, page_bytes)

    async def fetch(self, url: str) -> Page:
        """See `ports.engine.PageSource`."""
        delay = await self._rules.delay_of(url)
        host = await self._vet(url)
        await self._throttle.acquire(host, delay)
        try:
            return await self._way.drive(url, functools.partial(self._load, url, host))
        finally:
            self._throttle.release(host)

    def ready_at(self, url: str) -> float:
        """See `ports.engine.PageSource`."""
        host = host_of(url)
        return max(self._throttle.ready_at(host, self._rules.known_delay(url)), self._way.ready_at(host))

    async def sitemap_urls(self, url: str, limit: int) -> list[str]:
        """See `ports.engine.PageSource`."""
        return await self._rules.sitemap_urls(url, limit)

    async def close(self) -> None:
        """See `ports.engine.PageSource`. Browsers belong to the engine's pool, which lets idle ones go."""
        if self._open:
            self._open = False
            self._pool.leave()

    async def _allow(self, url: str) -> None:
        """Where a page leads by itself must be allowed like where it was."""
        await self._rules.check(url)
        await self._vet(url)

    async def _vet(self, url: str) -> str:
        """The host of a URL; raises `PageError` when it must not be connected to."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        await self._egress.addresses(host, parts.port or (443 if parts.scheme == "https" else 80))
        return host

    async def _load(self, url: str, host: str, session: Session) -> Page:
        if session.pooled is not None:
            await self._vet_proxy(session.pooled)
        for _ in range(_TRIES - 1):
            try:
                return await self._told(url, host, session)
            except RetryPage as error:
                if error.reason != "browser_crashed":
                    raise
        return await self._told(url, host, session)

    async def _told(self, url: str, host: str, session: Session) -> Page:
        """Visit, and tell the throttle that adapts what came of it."""
        if self._adapting is None:
            return await self._visit(url, host, session)
        began, indirect = time.monotonic(), self._aside or session.pooled is not None
        try:
            page = await self._visit(url, host, session)
        except PageError as error:
            self._adapting.told(host, time.monotonic() - began, error, indirect=indirect)
            raise
        self._adapting.told(host, page.elapsed, indirect=indirect)
        return page

    async def _vet_proxy(self, proxy: Proxy) -> None:
        try:
            await self._egress.addresses(*address_of(proxy.url))
        except PageError as error:
            raise RetryPage("proxy_error", f"the proxy's own address: {error.detail}") from None

    async def _visit(self, url: str, host: str, session: Session) -> Page:
        manners = replace(self._terms.manners, pause=functools.partial(self._throttle.pause, host))
        terms = replace(self._terms, manners=manners, proxy=session.proxy)
        jar = self._jars.get(session)
        if jar is None:
            jar = self._jars[session] = self._new_jar()
        chromium = await self._pool.take(self._job_id)
        visit = Visit(chromium, self._egress, terms, jar)
        try:
            return await visit.fetch(url)
        finally:
            self._pool.give_back(chromium, visit.context)
