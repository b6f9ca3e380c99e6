"""The spider of every ordinary job: what it does with a page is the job's extraction plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from scrapy import Request, Spider
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from scrapemaster.domain.errors import GiveUpPage, PageError, PostponePage
from scrapemaster.domain.page import Page
from scrapemaster.fetch.scrapy.messages import page_of
from scrapemaster.fetch.scrapy.ticket import LINK, TICKET, Ticket


class Ask(Protocol):
    """Fetches a page as the job's engine does, with headers that Scrapy's middlewares added; see `ports.engine.PageSource.fetch`."""

    def __call__(self, url: str, headers: Mapping[str, str], delay: float) -> Awaitable[Page]:
        """The page; `delay` seconds are kept from the host's last one that asked for a delay."""


class PlanSpider(Spider):
    """Turns tickets into requests, and pages into the rows and links that the ticket's `parse` finds.

    `ask` is how pages are fetched; `retried` says of a refusal whether it is worth another try.
    """

    name = "scrapemaster"
    ask: Ask
    retried: Callable[[PageError], PageError]

    async def start(self) -> AsyncIterator[Any]:
        """Nothing: requests come from the job's frontier."""
        nothing: tuple[Request, ...] = ()
        for request in nothing:
            yield request

    def request_for(self, ticket: Ticket) -> Request:
        """The request of a ticket."""
        request = Request(
            ticket.url,
            callback=self.work,
            errback=self.failed,
            meta={TICKET: ticket, "depth": ticket.depth},
            dont_filter=True,
        )
        ticket.asked = request.url
        return request

    async def work(self, response: Response) -> AsyncIterator[Any]:
        """The callback: rows first, then links."""
        ticket: Ticket = response.meta[TICKET]
        ticket.page = page = page_of(response, ticket)
        if ticket.parse is None:
            return
        found = await ticket.parse(page)
        for item in found.items:
            yield item
        for link in found.links:
            request = Request(link.url, callback=self.work, errback=self.failed, priority=link.priority)
            request.meta[LINK] = (request.url, link.url)
            yield request

    def failed(self, failure: Failure) -> None:
        """The errback: what stood in the way of the page."""
        error = failure.value
        ticket: Ticket = failure.request.meta[TICKET]  # type: ignore[attr-defined] # Scrapy sets it
        cause = None if error is None else error.__cause__
        if isinstance(error, HttpError):
            status = error.response.status
            refusal = ticket.refusal or GiveUpPage(f"http_{status}", f"the answer is {status}", status)
            ticket.fail(self.retried(refusal), "the server")
        elif isinstance(cause, PageError | PostponePage):
            ticket.fail(cause, "the fetch")
        elif isinstance(error, IgnoreRequest):
            says = f"a middleware ignores the page: {error}"[:1_000]
            unasked, asked = GiveUpPage("scrapy_ignored", says), GiveUpPage("scrapy_dropped", says)
            ticket.fail(asked if ticket.sent else unasked, "a middleware")
        elif isinstance(error, Exception):
            ticket.fail(error, "a middleware")
