"""The job's frontier as Scrapy's scheduler."""

from __future__ import annotations

from collections import deque

from scrapy import Request
from scrapy.core.scheduler import BaseScheduler

from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.fetch.scrapy.ticket import CURRENT, LINK, MAX_REQUESTS, TICKET, Ticket
from scrapemaster.ports.engine import Link


class FrontierScheduler(BaseScheduler):
    """Gives out what slices leased, and takes in what pages lead to.

    A request with a ticket is one that a slice holds the lease of: it is next. Any other is new: it goes into the frontier together
    with the rows of the page that led to it, when that page is committed, and comes back when a slice leases it.
    """

    def __init__(self) -> None:
        self._leased: deque[Request] = deque()

    def has_pending_requests(self) -> bool:
        """True: only the frontier knows when a job is over, and the spider stays open until then."""
        return True

    def enqueue_request(self, request: Request) -> bool:
        """Take a request in; False when the page it belongs to is over, or goes in circles."""
        ticket: Ticket | None = request.meta.get(TICKET)
        if ticket is not None:
            return self._again(request, ticket)
        page = CURRENT.get()
        if page is None or page.over:
            return False
        spelled, normal = request.meta.get(LINK) or ("", "")
        url = normal if request.url == spelled else request.url
        page.follow(Link(url, request.meta.get("depth", page.depth + 1), request.priority))
        return True

    def next_request(self) -> Request | None:
        """The next one that is leased."""
        return self._leased.popleft() if self._leased else None

    def _again(self, request: Request, ticket: Ticket) -> bool:
        if ticket.ended:
            ticket.finish()
            return True
        ticket.requests += 1
        if ticket.requests > MAX_REQUESTS:
            error = GiveUpPage(
                "scrapy_component", "middlewares put one request in the place of the other, on and on"
            )
            ticket.fail(error, "a middleware")
            return False
        if ticket.over:
            return False
        self._leased.append(request)
        return True
