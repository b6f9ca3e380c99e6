"""Between our pages and Scrapy's responses, and between our errors and Scrapy's."""

from __future__ import annotations

import time

from scrapy import Request
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes

from scrapemaster.domain.errors import GiveUpPage, InvalidUrl, PageError, PostponePage
from scrapemaster.domain.page import Page
from scrapemaster.domain.url import parse_url
from scrapemaster.fetch.scrapy.ticket import Ticket

#: What Scrapy's own handlers raise for the same.
_SAME: dict[str, type[Exception]] = {
    "timeout": DownloadTimeoutError,
    "dns_failure": CannotResolveHostError,
    "connection_refused": DownloadConnectionRefusedError,
    "body_incomplete": ResponseDataLossError,
}
#: Reasons for which a page is not asked for at all: no middleware may try again.
_DENIED = frozenset({"egress_denied", "robots_denied", "robots_unreachable", "proxies_exhausted"})


def url_of(request: Request, ticket: Ticket) -> str:
    """The request's URL in our spelling. Raises `GiveUpPage` where a middleware put in what is none, or what we cannot do."""
    if request.method != "GET" or request.body:
        raise GiveUpPage("scrapy_component", f"a middleware asks for a {request.method}; jobs fetch with GET")
    if "proxy" in request.meta:
        raise GiveUpPage("scrapy_component", "a middleware names a proxy: use config.proxy")
    if request.url == ticket.asked:
        return ticket.url
    try:
        return parse_url(request.url)
    except InvalidUrl as error:
        raise GiveUpPage(
            "scrapy_component", f"a middleware asks for {request.url[:200]!r}: {error}"
        ) from None


def response_of(page: Page, request: Request) -> Response:
    """A page as Scrapy's response of the fitting class."""
    # All of them are put into Scrapy's form once, by the response itself.
    telling = {
        name: page.headers[name] for name in ("content-type", "content-disposition") if name in page.headers
    }
    kind = responsetypes.from_args(headers=Headers(telling), url=page.url, body=page.body)
    return kind(page.url, status=page.status, headers=page.headers, body=page.body, request=request)


def page_of(response: Response, ticket: Ticket) -> Page:
    """The page of a response: the one that was fetched, or what middlewares made of it."""
    page = ticket.page
    if (
        page is not None
        and response.body is page.body
        and response.url == page.url
        and response.status == page.status
    ):
        return page
    try:
        url = parse_url(response.url)
    except InvalidUrl:
        url = ticket.url
    headers = {
        name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
        for name, values in response.headers.items()
    }
    elapsed, redirects = (0.0, ()) if page is None else (page.elapsed, page.redirects)
    return Page(url, response.status, headers, response.body, elapsed, time.time(), redirects, "scrapy")


def scrapy_error(error: PageError | PostponePage) -> Exception:
    """What Scrapy's middlewares know of the same kind; ours is its cause."""
    if isinstance(error, PostponePage) or error.reason in _DENIED:
        found: Exception = IgnoreRequest(str(error))
    else:
        found = _SAME.get(error.reason, DownloadFailedError)(str(error))
    found.__cause__ = error
    return found
