"""Scrapy's downloader, told what becomes of pages."""

from __future__ import annotations

from typing import Any

from scrapy import Request
from scrapy.core.downloader import Downloader, Slot
from scrapy.http import Response
from twisted.internet.defer import Deferred

from scrapemaster.fetch.scrapy.ticket import TICKET


class TicketDownloader(Downloader):
    """Gives the requests that middlewares put in the place of others the tickets of those; can be emptied.

    The first request to a host waits for nothing.
    """

    def _get_slot(self, request: Request, *_: Any) -> tuple[str, Slot]:
        key, slot = super()._get_slot(request)
        if not slot.lastseen:
            # Scrapy takes it that the last request was made when the machine was started, and waits for the delay from there.
            slot.lastseen = -slot.delay
        return key, slot

    def fetch(self, request: Request, *_: Any) -> Deferred[Response | Request]:
        """See `scrapy.core.downloader.Downloader`."""
        fetched: Deferred[Response | Request] = super().fetch(request)

        def stamp(result: Response | Request) -> Response | Request:
            if isinstance(result, Request):
                result.meta[TICKET] = request.meta[TICKET]
                result.callback, result.errback = request.callback, request.errback
            elif result.request is None:
                result.request = request
            return result

        return fetched.addCallback(stamp)

    def hurry(self) -> None:
        """Let all that waits for its turn go at once, to be told that nobody waits for it."""
        for slot in self.slots.values():
            slot.delay = 0.0
            slot.close()
            self._process_queue(slot)

    def ready_at(self, host: str) -> float:
        """When (monotonic seconds) one more request to the host would have its turn; 0.0 if now."""
        slot = self.slots.get(host)
        if slot is None or not slot.delay:
            return 0.0
        return slot.lastseen + slot.delay * (1 + len(slot.queue))
