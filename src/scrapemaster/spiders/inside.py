"""A spider's run as it looks from inside its process: Scrapy as it is, watched by its signals."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

from scrapy.crawler import AsyncCrawlerProcess, Crawler, CrawlerProcess
from scrapy.settings import Settings
from scrapy.signals import engine_started, spider_closed
from scrapy.spiderloader import get_spider_loader
from scrapy.utils.asyncio import is_asyncio_available
from scrapy.utils.defer import deferred_from_coro
from scrapy.utils.project import get_project_settings
from twisted.python.failure import Failure

from scrapemaster.spiders.log import Listener
from scrapemaster.spiders.messages import GO_ON, HOLD, STOP, Ended, Spiders, Task
from scrapemaster.spiders.outgoing import Outgoing
from scrapemaster.spiders.pages import Pages
from scrapemaster.spiders.teller import Teller

_ASYNCIO_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"
#: How a run ends that was told to.
STOPPED = "cancelled"
#: Exit code when the crawler is gone.
_ORPHAN = 70


def work(task: Task, messages: int, orders: int) -> None:
    """Do the task; the last message says how it ended."""
    teller = Teller(messages)
    try:
        settings = get_project_settings()
        if task.spider is None:
            teller.tell(Spiders(sorted(get_spider_loader(settings).list())))
            ended = Ended("finished")
        else:
            ended = _Run(task, teller, settings).run(orders)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- code of others: whatever it raises is its end, told in a sentence
        ended = Ended("", sentence_of(error))
    teller.tell(ended)


def sentence_of(error: BaseException) -> str:
    """An exception, as it is told to a person."""
    return f"{type(error).__name__}: {error}"[:1_000]


class _Run:
    """One run of a spider."""

    def __init__(self, task: Task, teller: Teller, settings: Settings) -> None:
        self._task = task
        self._teller = teller
        self._settings = settings
        self._reason = ""
        self._error: str | None = None
        self._crawler: Crawler | None = None
        self._call: Callable[[Callable[[], None]], object] | None = None
        self._stopped = False

    def run(self, orders: int) -> Ended:
        """Run it, and say how it ended."""
        self._settings.setdict(dict(self._task.settings), priority="cmdline")
        self._settings.set("LOG_INSTALL_ROOT_HANDLER", False, priority="cmdline")
        # As Scrapy's own command chooses.
        alone = self._settings["TWISTED_REACTOR"] == _ASYNCIO_REACTOR and not self._settings.getbool(
            "FORCE_CRAWLER_PROCESS"
        )
        if alone or not self._settings.getbool("TWISTED_REACTOR_ENABLED"):
            self._run_async(orders)
        else:
            self._run_deferred(orders)
        return Ended(self._reason, self._error or self._pages.start_error)

    def _run_async(self, orders: int) -> None:
        process = AsyncCrawlerProcess(self._settings)
        crawler = self._prepared(process, orders)
        task = process.crawl(crawler, **self._task.args)
        task.add_done_callback(self._note_task)
        process.start()

    def _run_deferred(self, orders: int) -> None:
        process = CrawlerProcess(self._settings)
        crawler = self._prepared(process, orders)
        process.crawl(crawler, **self._task.args).addErrback(self._note_failure)
        process.start()

    def _prepared(self, process: AsyncCrawlerProcess | CrawlerProcess, orders: int) -> Crawler:
        crawler = self._crawler = process.create_crawler(self._task.spider or "")
        settings = crawler.settings
        # Over the spider's own: ports that run code for whoever connects, and a state on disk that a run anew must not find.
        forced = {
            "TELNETCONSOLE_ENABLED": False,
            "REMOTE_CONTROL_ENABLED": False,
            "JOBDIR": None,
            "LOG_FILE": None,
        }
        middlewares = dict(settings.getdict("DOWNLOADER_MIDDLEWARES"))
        middlewares[Outgoing] = Outgoing.ORDER
        settings.setdict({**forced, "DOWNLOADER_MIDDLEWARES": middlewares}, priority="cmdline")
        settings.set("SCRAPEMASTER_GATE_PORT", self._task.confines.port, priority="cmdline")
        settings.set("SCRAPEMASTER_PAGES", self._task.pages, priority="cmdline")
        Listener.install(self._teller, settings)
        # Signals hold those who listen only weakly.
        self._pages = Pages(crawler, self._teller)
        crawler.signals.connect(self._started, engine_started)
        crawler.signals.connect(self._closed, spider_closed)
        threading.Thread(target=self._obey, args=(orders,), daemon=True).start()
        return crawler

    def _note_task(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._error = sentence_of(error)

    def _note_failure(self, failure: Failure) -> None:
        self._error = sentence_of(failure.value or Exception("it broke off"))

    def _started(self) -> None:
        if is_asyncio_available():
            self._call = asyncio.get_running_loop().call_soon_threadsafe
        else:
            from twisted.internet import reactor  # noqa: PLC0415 -- which one it is is only known now

            self._call = reactor.callFromThread
        if self._stopped:
            self._stop()

    def _closed(self, reason: str) -> None:
        self._reason = reason

    def _obey(self, orders: int) -> None:
        """Follow orders until they end, and this process with them."""
        while order := os.read(orders, 1):
            if order == STOP:
                self._stopped = True
            action = {STOP: self._stop, HOLD: self._hold, GO_ON: self._go_on}.get(order)
            if action is not None and self._call is not None:
                self._call(action)
        os._exit(_ORPHAN)

    def _stop(self) -> None:
        if self._crawler is not None and self._crawler.engine.spider is not None:
            closing: Any = self._crawler.engine.close_spider_async(reason=STOPPED)
            if is_asyncio_available():
                self._closing = asyncio.ensure_future(closing)
            else:
                deferred_from_coro(closing)

    def _hold(self) -> None:
        if self._crawler is not None:
            self._crawler.engine.pause()

    def _go_on(self) -> None:
        if self._crawler is not None:
            self._crawler.engine.unpause()
