"""A job's Scrapy: one crawler in our event loop, open from the first page that a process works on to the end of the run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from scrapy import signals
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.settings import Settings
from scrapy.utils.reactorless import install_reactor_import_hook

from scrapemaster.domain.errors import GiveUpPage, PageError
from scrapemaster.domain.job import JobConfig
from scrapemaster.domain.page import Page
from scrapemaster.fetch.scrapy.downloader import TicketDownloader
from scrapemaster.fetch.scrapy.handler import FetchHandler
from scrapemaster.fetch.scrapy.ledger import Ledger
from scrapemaster.fetch.scrapy.pipeline import RowPipeline
from scrapemaster.fetch.scrapy.quiet import QuietLog
from scrapemaster.fetch.scrapy.scheduler import FrontierScheduler
from scrapemaster.fetch.scrapy.spider import Ask, PlanSpider
from scrapemaster.fetch.scrapy.ticket import Ticket
from scrapemaster.ports.engine import Parse, Yielded

log = structlog.get_logger(__name__)

#: Seconds that a graceful close may take: components may want to finish what they began.
_CLOSE_SECONDS = 5.0
#: Orders of our own parts: outside of all others, and behind them.
_FIRST, _LAST = -1, 1_000_000

#: What is ours whatever a job or an operator says. Of Scrapy's own parts those are left out that do what the service does: retries,
#: redirects, robots.txt, cookies, compression, proxies, caches, feeds, consoles.
_OURS: Mapping[str, Any] = {
    "ADDONS": {},
    "BOT_NAME": "scrapemaster",
    "CONCURRENT_ITEMS": 1,  # a row's place among its page's rows is its identity
    "CONCURRENT_REQUESTS": 0,  # no limit but the slice's
    "DOWNLOADER": TicketDownloader,
    "DOWNLOADER_MIDDLEWARES_BASE": {},
    "DOWNLOAD_DELAY_JITTER": 0.0,
    "DOWNLOAD_HANDLERS": {
        "http": FetchHandler,
        "https": FetchHandler,
        **dict.fromkeys(("data", "file", "ftp", "s3")),
    },
    "EXTENSIONS_BASE": {"scrapy.extensions.throttle.AutoThrottle": 0},
    "ITEM_PIPELINES_BASE": {RowPipeline: _LAST},
    "JOBDIR": None,
    "LOG_FORMATTER": QuietLog,
    "SCHEDULER": FrontierScheduler,
    "SPIDER_MIDDLEWARES_BASE": {
        Ledger: _FIRST,
        "scrapy.spidermiddlewares.httperror.HttpErrorMiddleware": 50,
        "scrapy.spidermiddlewares.depth.DepthMiddleware": 900,
    },
    "STATS_DUMP": False,
    "TELNETCONSOLE_ENABLED": False,
    "TWISTED_REACTOR_ENABLED": False,
    "WARN_ON_GENERATOR_RETURN_VALUE": False,
}
#: Those of a job's settings that are the service's own under other names: Scrapy's parts must not do them once more.
_DONE_BY_US = frozenset(
    {"CONCURRENT_REQUESTS", "DEFAULT_REQUEST_HEADERS", "DEPTH_LIMIT", "DOWNLOAD_DELAY", "USER_AGENT"}
)


def settings_of(config: JobConfig) -> Settings:
    """Scrapy's settings for a job."""
    asked = {name: value for name, value in config.scrapy_settings.items() if name not in _DONE_BY_US}
    values: dict[str, Any] = {
        "CONCURRENT_REQUESTS_PER_DOMAIN": config.concurrency,
        "DOWNLOAD_MAXSIZE": config.max_body_bytes,
        "DOWNLOAD_TIMEOUT": config.timeout,
        **asked,
    }
    if asked.get("AUTOTHROTTLE_ENABLED"):
        # Its lower bound; without it our throttle alone keeps the delay.
        values["DOWNLOAD_DELAY"] = config.delay
    return Settings({**values, **_OURS})


def prepare() -> None:
    """Make the process fit for Scrapy without a reactor: nobody may install one, and Scrapy says only what operators should know."""
    global _prepared  # noqa: PLW0603 -- the import system is the process's
    if not _prepared:
        install_reactor_import_hook()
        logging.getLogger("scrapy").setLevel(logging.WARNING)
        _prepared = True


_prepared = False


class Course:
    """Runs pages through Scrapy's engine: scheduler, downloader and its middlewares, handler, spider middlewares, spider, pipelines.

    `ask` fetches; `retried` says of a refusal whether it is worth another try.
    """

    def __init__(self, config: JobConfig, ask: Ask, retried: Callable[[PageError], PageError]) -> None:
        self._config = config
        self._ask = ask
        self._retried = retried
        self._crawler: Crawler | None = None
        self._running: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._closed_for: str | None = None
        self._tickets: set[Ticket] = set()

    async def open(self) -> None:
        """Start Scrapy; raises `GiveUpPage` when some component cannot be made."""
        prepare()
        runner = AsyncCrawlerRunner(settings_of(self._config))
        self._crawler = crawler = runner.create_crawler(PlanSpider)
        crawler.signals.connect(self._spider_opened, signals.spider_opened)
        crawler.signals.connect(self._spider_closed, signals.spider_closed)
        self._running = running = runner.crawl(crawler, ask=self._ask, retried=self._retried)
        opening = asyncio.ensure_future(self._opened.wait())
        try:
            await asyncio.wait([opening, running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            opening.cancel()
        if running.done() and (error := running.exception()) is not None:
            raise GiveUpPage(
                "scrapy_component", f"Scrapy could not be started: {type(error).__name__}: {error}"
            )

    async def run(self, url: str, depth: int, parse: Parse | None) -> tuple[Yielded, Page | None]:
        """Take one page through; see `ports.engine.Spidering.spider`."""
        crawler = self._crawler
        if crawler is None or self._closed_for is not None:
            raise GiveUpPage("scrapy_closed", f"a component of Scrapy closed the spider: {self._closed_for}")
        ticket = Ticket(url, depth, parse)
        self._tickets.add(ticket)
        try:
            spider: PlanSpider = crawler.spider  # type: ignore[assignment] # it is made for that alone
            crawler.engine.crawl(spider.request_for(ticket))
            return await ticket.done, ticket.page
        finally:
            self._tickets.discard(ticket)
            ticket.abandon()

    def ready_at(self, host: str) -> float:
        """When (monotonic seconds) Scrapy's downloader would have a turn for the host; 0.0 if now."""
        return self._downloader.ready_at(host) if self._opened.is_set() else 0.0

    async def close(self) -> None:
        """Close the spider as Scrapy does in order: pipelines and extensions are told."""
        crawler, running = self._crawler, self._running
        if crawler is None or running is None:
            return
        self._crawler = None
        for ticket in list(self._tickets):
            ticket.abandon()
        if self._opened.is_set():
            self._downloader_of(crawler).hurry()
        stopping = asyncio.create_task(crawler.stop_async())
        _, late = await asyncio.wait([stopping, running], timeout=_CLOSE_SECONDS)
        if late:
            log.warning("scrapy.closes_slowly", seconds=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(stopping, running, return_exceptions=True)

    @property
    def _downloader(self) -> TicketDownloader:
        if self._crawler is None:
            raise RuntimeError("the crawler is closed")
        return self._downloader_of(self._crawler)

    @staticmethod
    def _downloader_of(crawler: Crawler) -> TicketDownloader:
        downloader = crawler.engine.downloader
        if not isinstance(downloader, TicketDownloader):
            raise TypeError("the downloader is not ours")
        return downloader

    def _spider_opened(self) -> None:
        self._opened.set()

    def _spider_closed(self, reason: str) -> None:
        self._closed_for = reason
        for ticket in list(self._tickets):
            ticket.fail(GiveUpPage("scrapy_closed", f"a component of Scrapy closed the spider: {reason}"), "")
