"""Our fetcher as Scrapy's download handler."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response

from scrapemaster.domain.errors import PageError, PostponePage
from scrapemaster.domain.page import Page
from scrapemaster.fetch.scrapy.messages import response_of, scrapy_error, url_of
from scrapemaster.fetch.scrapy.ticket import TICKET, Ticket

if TYPE_CHECKING:
    from scrapy.crawler import Crawler

    from scrapemaster.fetch.scrapy.spider import PlanSpider


class FetchHandler(BaseDownloadHandler):
    """Fetches as every engine does: vetted addresses, throttle, robots.txt, sessions, limits, redirects followed."""

    lazy = False

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._spider: PlanSpider = crawler.spider  # type: ignore[assignment] # the crawler is made for it alone

    async def download_request(self, request: Request) -> Response:
        """The page, of whatever status; what is no response at all is raised as Scrapy's own handlers would."""
        ticket: Ticket | None = request.meta.get(TICKET)
        if ticket is None or ticket.over:
            raise IgnoreRequest("nobody waits for this page")
        try:
            page = await self._fetch(request, ticket)
        except PageError as error:
            request.meta["download_latency"] = error.elapsed
            if error.status is None or 200 <= error.status < 300:
                raise scrapy_error(error) from error
            ticket.refusal = error
            page = error.page or Page(url_of(request, ticket), error.status, {}, b"", error.elapsed, 0.0)
        except PostponePage as error:
            raise scrapy_error(error) from error
        else:
            request.meta["download_latency"] = page.elapsed
            ticket.page = page
        ticket.fetched()
        return response_of(page, request)

    async def _fetch(self, request: Request, ticket: Ticket) -> Page:
        url = url_of(request, ticket)
        headers = {
            name.decode("latin-1"): b", ".join(values).decode("latin-1")
            for name, values in request.headers.items()
        }
        slot = self.crawler.engine.downloader.slots.get(request.meta.get("download_slot", ""))
        ticket.sent = True
        # In a task of its own, which a slice that ends can cancel without Scrapy losing count of its requests.
        ticket.fetching = asyncio.ensure_future(self._spider.ask(url, headers, slot.delay if slot else 0.0))
        try:
            return await ticket.fetching
        except asyncio.CancelledError:
            if ticket.fetching.cancelled():
                raise IgnoreRequest("nobody waits for this page any more") from None
            raise
        finally:
            ticket.fetching = None
