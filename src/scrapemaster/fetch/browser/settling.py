"""Waiting until a page has stopped loading by itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page as Tab
    from playwright.async_api import Request

#: Seconds without traffic after which a page has settled, and seconds after its `load` event for which it is waited for at most.
QUIET_SECONDS = 0.5
SETTLE_SECONDS = 8.0
#: What a page keeps open, or sends and never looks at.
_ENDLESS = frozenset({"eventsource", "websocket", "ping", "media"})
#: Lets all that the page has to do now be done, however busy the machine is: what it asks for then is traffic.
_TURN = (
    """() => new Promise(done => setTimeout(() => requestIdleCallback(() => done(), {timeout: 2000}), 0))"""
)


class Settling:
    """Follows the traffic of a tab; made before it goes anywhere."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._under_way: set[Request] = set()
        self._last = time.monotonic()
        tab.on("request", self._began)
        tab.on("requestfinished", self._ended)
        tab.on("requestfailed", self._ended)

    async def wait(self) -> None:
        """Return when there was no traffic for `QUIET_SECONDS`, at the latest after `SETTLE_SECONDS`, which is no failure."""
        end = time.monotonic() + SETTLE_SECONDS
        while (now := time.monotonic()) < end:
            quiet = 0.0 if self._under_way else now - self._last
            if quiet < QUIET_SECONDS:
                await asyncio.sleep(max(0.05, min(QUIET_SECONDS - quiet, end - now)))
                continue
            before = self._last
            await self._tab.evaluate(_TURN)
            if self._last == before:
                return

    def _began(self, request: Request) -> None:
        if request.resource_type not in _ENDLESS:
            self._under_way.add(request)
            self._last = time.monotonic()

    def _ended(self, request: Request) -> None:
        if request in self._under_way:
            self._under_way.discard(request)
            self._last = time.monotonic()
