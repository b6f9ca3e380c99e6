"""How a job's requests go: over its one session, or over the sessions of the proxy pool."""

from __future__ import annotations

from typing import Any

from scrapemaster.domain.errors import PageError
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.domain.proxy import is_pool, pool_tag
from scrapemaster.engines.rotation import Ask, Rotation
from scrapemaster.extract.barrier import barrier_of
from scrapemaster.fetch.http import HttpFetcher
from scrapemaster.fetch.proxies import ProxyPool
from scrapemaster.fetch.session import Session
from scrapemaster.fetch.sessions import Sessions

_BLOCKS = frozenset({"blocked", "challenge"})


class Way:
    """One job's plain requests, its robots.txt and sitemaps too, and the rotation that other engines drive theirs by."""

    def __init__(self, config: JobConfig, fetcher: HttpFetcher, proxies: ProxyPool | None) -> None:
        self._fetcher = fetcher
        self._tag = pool_tag(config.proxy)
        self._rotation: Rotation | None = None
        if proxies is not None and is_pool(config.proxy):
            sessions = Sessions(proxies, fetcher.new_session, self._tag, config.concurrency)
            self._rotation = Rotation(proxies, sessions)

    async def fetch(self, url: str, **options: Any) -> Page:
        """See `fetch.http.HttpFetcher.fetch`. The job's one session is given up when it is blocked."""
        fetcher = self._fetcher
        if self._rotation is not None:
            return await self._rotation.page(
                url, lambda session: fetcher.fetch(url, session=session, **options)
            )
        return await self._over_the_one(url, lambda session: fetcher.fetch(url, session=session, **options))

    async def drive(self, url: str, ask: Ask) -> Page:
        """The page that `ask` fetches over the session it is given. The job's one session is given up when it is blocked."""
        if self._rotation is None:
            return await self._over_the_one(url, ask)
        return await self._rotation.page(url, ask)

    async def _over_the_one(self, url: str, ask: Ask) -> Page:
        session = self._fetcher.session
        try:
            page = await ask(session)
        except PageError as error:
            if error.page is not None:
                self._judge(session, error.page, url)
            raise
        self._judge(session, page, url)
        return page

    def _judge(self, session: Session, page: Page, url: str) -> None:
        """Give up the job's session if the page is a block or a challenge, whatever its status says, and nobody did so meanwhile."""
        if session is self._fetcher.session and _is_block(page, url):
            self._fetcher.renew()

    def ready_at(self, host: str) -> float:
        """When (monotonic seconds) a proxy for the host may be looked for; 0.0 if now, or if none is needed."""
        return 0.0 if self._rotation is None else self._rotation.ready_at(host, self._tag)


def _is_block(page: Page, url: str) -> bool:
    barrier = barrier_of(page, url)
    return barrier is not None and barrier.reason in _BLOCKS
