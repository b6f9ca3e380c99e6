"""The browsers of a process: started when pages want them, replaced before they grow old, gone when nobody has use for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from scrapemaster.domain.errors import PageError, RetryPage
from scrapemaster.fetch.browser.chromium import UNWANTED, arguments, environment, find_chromium, sandboxed
from scrapemaster.fetch.browser.driver import Driver
from scrapemaster.fetch.browser.places import Places
from scrapemaster.fetch.browser.processes import Process, resident, tree_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext

log = structlog.get_logger(__name__)

#: Seconds a browser has to start, and a page's context to close before its browser is taken to hang.
_LAUNCH_SECONDS = 30.0
_CLOSE_SECONDS = 4.0
#: Pages that may be closing beside those that have a place.
_CLOSING_AHEAD = 1
#: Seconds between looks at memory, age and idleness.
_TEND_EVERY = 1.0
#: A browser with so many times the memory at which it is replaced has its largest page killed.
_TOO_LARGE = 2


@dataclass(slots=True, frozen=True)
class PoolRules:
    """What an operator may set; see the settings of the same names. `memory` is in bytes, times in seconds."""

    executable: str | None = None
    sandbox: str = "auto"
    processes: int = 1
    pages: int = 8
    recycle_pages: int = 500
    recycle_seconds: float = 3_600.0
    recycle_memory: int = 2_048 * 1024 * 1024
    idle_seconds: float = 5.0


@dataclass(slots=True, eq=False)
class Chromium:
    """One browser. `busy` pages are open in it, `pages` were in all."""

    browser: Browser
    pid: int
    started_at: float = field(default_factory=time.monotonic)
    busy: int = 0
    pages: int = 0
    retiring: bool = False

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return not self.browser.is_connected()


class Pool:
    """All browsers under one driver. A page takes a place with `take` and gives it back with `give_back`."""

    def __init__(self, rules: PoolRules) -> None:
        self._rules = rules
        self._places = Places(rules.pages)
        # Pages that are closed while the next ones have their places already.
        self._closing = 0
        self._browsers: list[Chromium] = []
        self._driver: Driver | None = None
        self._starting = asyncio.Lock()
        self._tending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._users = 0
        self._used_at = 0.0
        self._closed = False

    def join(self) -> None:
        """Somebody has use for browsers from now on; `leave` must follow."""
        self._users += 1

    def leave(self) -> None:
        """Who joined has no more use for browsers."""
        self._users -= 1
        self._used_at = time.monotonic()

    @property
    def pids(self) -> list[int]:
        """The browsers' process ids."""
        return [one.pid for one in self._browsers]

    def memory(self) -> int:
        """Bytes of memory that all browsers take."""
        return sum(resident(tree_of(one.pid)) for one in self._browsers)

    async def take(self, owner: str) -> Chromium:
        """Wait for a place and a browser. Raises `RetryPage` when none starts. Owners take turns."""
        await self._places.take(owner)
        try:
            chosen = self._choose() or await self._start_one()
        except BaseException:
            self._places.give_back()
            raise
        chosen.busy += 1
        chosen.pages += 1
        if chosen.pages >= self._rules.recycle_pages:
            chosen.retiring = True
        return chosen

    def give_back(self, taken: Chromium, context: BrowserContext | None) -> None:
        """Close a page's context and free its place, in the background: who is cancelled need not wait."""
        self._spawn(self._give_back(taken, context))

    async def close(self) -> None:
        """End all browsers; twice is no error."""
        self._closed = True
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        async with self._starting:
            await self._stop_driver()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self, chromium: Chromium, why: str) -> None:
        """End a browser at once, with all its pages."""
        log.warning("browser.killed", pid=chromium.pid, why=why)
        self._forget(chromium)
        for process in tree_of(chromium.pid):
            _kill(process.pid)

    def _choose(self) -> Chromium | None:
        """A running browser with room; None when another is to be started."""
        if self._driver is None or not self._driver.alive:
            self._browsers.clear()  # nobody else would tell that they have ended
        for one in [one for one in self._browsers if one.gone]:
            self._forget(one)
        running = [one for one in self._browsers if not one.retiring]
        if not running:
            return None
        least = min(running, key=lambda one: one.busy)
        share = -(-self._rules.pages // self._rules.processes)
        return None if least.busy >= share and len(running) < self._rules.processes else least

    async def _start_one(self) -> Chromium:
        async with self._starting:
            if (chosen := self._choose()) is not None:  # others waited for the same
                return chosen
            if self._closed:
                raise RetryPage("browser_crashed", "the crawler is stopping")
            if self._driver is None or not self._driver.alive:
                await self._stop_driver()
                self._driver = Driver()
                await self._driver.start()
            try:
                chosen = await self._launch(self._driver)
            except PageError:
                # Whatever ails it, the next one who asks begins with a driver that is not in doubt.
                await self._stop_driver()
                raise
            self._browsers.append(chosen)
            if self._tending is None or self._tending.done():
                self._used_at = time.monotonic()
                self._tending = asyncio.create_task(self._tend())
            return chosen

    async def _launch(self, driver: Driver) -> Chromium:
        from playwright.async_api import Error  # noqa: PLC0415 -- an extra, and heavy

        rules = self._rules
        try:
            async with asyncio.timeout(_LAUNCH_SECONDS):
                browser = await driver.playwright.chromium.launch(
                    executable_path=find_chromium(rules.executable),
                    args=arguments(),
                    ignore_default_args=list(UNWANTED),
                    env=environment(driver.folder),
                    chromium_sandbox=sandboxed(rules.sandbox),
                    handle_sigint=False,
                    handle_sigterm=False,
                    handle_sighup=False,
                    timeout=_LAUNCH_SECONDS * 1_000,
                )
                session = await browser.new_browser_cdp_session()
                answer = await session.send("SystemInfo.getProcessInfo")
        except (Error, TimeoutError) as error:
            text = str(error)
            log.error("browser.start_failed", error=text[:2_000])  # noqa: TRY400 -- a sentence for the operator
            raise RetryPage("browser_failed", _why(text)) from None
        pid = next(int(one["id"]) for one in answer["processInfo"] if one["type"] == "browser")
        log.debug("browser.started", pid=pid, version=browser.version)
        return Chromium(browser, pid)

    async def _give_back(self, taken: Chromium, context: BrowserContext | None) -> None:
        # One page at a time does not keep the next one waiting while it closes; with more than that, a browser that is slow to close would
        # have more pages open than it may.
        ahead = self._closing < _CLOSING_AHEAD
        if ahead:
            self._closing += 1
            self._places.give_back()
        try:
            if context is not None and not taken.gone:
                try:
                    async with asyncio.timeout(_CLOSE_SECONDS):
                        await context.close()
                except TimeoutError:
                    self.kill(taken, "a page could not be closed")
                except Exception:  # noqa: BLE001 -- the browser, or its driver, died in the meantime
                    self._forget_if_gone(taken)
        finally:
            taken.busy -= 1
            self._used_at = time.monotonic()
            if ahead:
                self._closing -= 1
            else:
                self._places.give_back()
            if taken.retiring and not taken.busy:
                self._spawn(self._retire(taken))

    async def _retire(self, old: Chromium) -> None:
        """Let a browser end that has no page any more; another one is started for the next page."""
        if old not in self._browsers:
            return
        self._browsers.remove(old)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await old.browser.close()
        except Exception:  # noqa: BLE001 -- whatever ails it, it is to go
            self.kill(old, "it did not end")

    async def _tend(self) -> None:
        """Look after the browsers, until nobody has had use for them for a while."""
        while self._driver is not None:
            await asyncio.sleep(_TEND_EVERY)
            now = time.monotonic()
            busy = any(one.busy for one in self._browsers)
            if not self._users and not busy and now - self._used_at >= self._rules.idle_seconds:
                async with self._starting:
                    if not any(one.busy for one in self._browsers):
                        await self._stop_driver()
                        return
            for one in list(self._browsers):
                if one.gone:
                    self._forget(one)
                    continue
                await self._weigh(one)
                if now - one.started_at >= self._rules.recycle_seconds:
                    one.retiring = True
                if one.retiring and not one.busy:
                    await self._retire(one)

    async def _weigh(self, one: Chromium) -> None:
        tree = await asyncio.to_thread(tree_of, one.pid)
        size = resident(tree)
        if size >= self._rules.recycle_memory:
            one.retiring = True
        if size >= _TOO_LARGE * self._rules.recycle_memory and (largest := _largest_page(tree)) is not None:
            log.warning("browser.page_killed", pid=largest.pid, why="it takes too much memory", bytes=size)
            _kill(largest.pid)

    def _forget(self, chromium: Chromium) -> None:
        with contextlib.suppress(ValueError):
            self._browsers.remove(chromium)

    def _forget_if_gone(self, chromium: Chromium) -> None:
        if chromium.gone or not Path(f"/proc/{chromium.pid}").exists():
            self._forget(chromium)

    async def _stop_driver(self) -> None:
        driver, self._driver = self._driver, None
        self._browsers.clear()
        if driver is not None:
            await driver.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _largest_page(tree: list[Process]) -> Process | None:
    return max((one for one in tree if one.renderer), key=lambda one: one.private, default=None)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _why(text: str) -> str:
    if "sandbox" in text.lower():
        return (
            "Chromium did not start: its sandbox does not work here; allow unprivileged user namespaces, or set "
            "SCRAPEMASTER_BROWSER_SANDBOX=off where pages are trusted"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"Chromium did not start: {lines[0][:300] if lines else 'it said nothing'}"
