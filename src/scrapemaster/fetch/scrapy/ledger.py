"""Knows when all that a page brought is through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Self

from scrapy import signals
from scrapy.http import Response

from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.fetch.scrapy.ticket import CURRENT, TICKET, Ticket

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from twisted.python.failure import Failure


class Ledger:
    """A spider middleware outside of all others, so that it sees what they all have left.

    Scrapy works on a page's output one by one, as it is set up here. So a request that comes last of all tells, when the scheduler is
    given it, that every item before it went through the pipelines. It is the page's own: whoever listens has let it pass before.
    """

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Made by Scrapy."""
        ledger = cls()
        crawler.signals.connect(ledger.item_error, signals.item_error)
        crawler.signals.connect(ledger.spider_error, signals.spider_error)
        return ledger

    def process_spider_input(self, response: Response) -> None:
        """A page goes to the spider: what is made in this task from now on is its."""
        CURRENT.set(response.meta[TICKET])

    async def process_spider_output(
        self, response: Response, result: AsyncIterator[Any]
    ) -> AsyncIterator[Any]:
        """See the end, and what stood in the way of it."""
        ticket: Ticket = response.meta[TICKET]
        try:
            async for output in result:
                if ticket.over:
                    return
                yield output
        except Exception as error:  # noqa: BLE001 -- it ends the page, and must not be told twice
            ticket.fail(error, "the spider or a middleware")
        if not ticket.over and response.request is not None:
            ticket.ended = True
            yield response.request

    def item_error(self, response: Response, failure: Failure) -> None:
        """A pipeline failed: the row would be lost, so the page fails."""
        ticket: Ticket = response.meta[TICKET]
        text = f"{type(failure.value).__name__} in an item pipeline: {failure.value}"
        ticket.fail(GiveUpPage("scrapy_component", text[:1_000]), "an item pipeline")

    def spider_error(self, failure: Failure, response: Any) -> None:
        """Scrapy itself gave the page up."""
        request = getattr(response, "request", None)
        if request is not None and TICKET in request.meta and isinstance(failure.value, Exception):
            request.meta[TICKET].fail(failure.value, "the spider or a middleware")
