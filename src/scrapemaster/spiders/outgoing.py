"""The last of a spider's downloader middlewares: everything goes through the gate, and no more than it may."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, ClassVar, Self

from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request
from scrapy.utils.asyncio import is_asyncio_available
from scrapy.utils.defer import deferred_from_coro

#: Keys of `Request.meta` that are ours: which request it is, in all its tries and hops, and the proxy it is to take behind the gate.
SERIAL = "_scrapemaster"
_PROXY = "_scrapemaster_proxy"
#: How a run ends that may send no more.
PAGES_SPENT = "closespider_pagecount"
_AUTHORIZATION = b"Proxy-Authorization"


class TooManyPages(IgnoreRequest):
    """The request was not sent: the run has sent as many as it may."""


class Outgoing:
    """Sends every request by the gate; where the project has chosen a proxy, the gate is told to go on by that one."""

    #: Behind all others that anybody would add.
    ORDER: ClassVar[int] = 1_000_000

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._most: int | None = crawler.settings["SCRAPEMASTER_PAGES"]
        port = crawler.settings.getint("SCRAPEMASTER_GATE_PORT")
        self._gate = f"http://127.0.0.1:{port}"
        self._asked: set[int] = set()
        self._closing: Any = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """See Scrapy."""
        return cls(crawler)

    def process_request(self, request: Request) -> None:
        """Count the request, and turn it to the gate."""
        self._count(request)
        if not request.url.startswith(("http:", "https:")):
            return
        meta, headers = request.meta, request.headers
        chosen = meta.get("proxy")
        if chosen and chosen != self._gate:
            proxy = chosen if "://" in chosen else f"http://{chosen}"
            meta[_PROXY] = (
                proxy,
                (headers.get(_AUTHORIZATION) or b"").removeprefix(b"Basic ").decode("latin-1"),
            )
        elif not chosen:
            meta.pop(_PROXY, None)
        meta["proxy"] = self._gate
        headers.pop(_AUTHORIZATION, None)
        if _PROXY in meta:
            behind = base64.b64encode(" ".join(meta[_PROXY]).encode()).decode()
            headers[_AUTHORIZATION] = f"Basic {behind}"
            # Else Scrapy's own middleware takes the header away when the request is tried again.
            meta["_auth_proxy"] = self._gate

    def _count(self, request: Request) -> None:
        serial = request.meta.get(SERIAL)
        # What belongs to no page, such as robots.txt, is not counted.
        if self._most is None or serial is None or serial in self._asked:
            return
        if len(self._asked) < self._most:
            self._asked.add(serial)
            return
        if self._closing is None:
            closing = self._crawler.engine.close_spider_async(reason=PAGES_SPENT)
            self._closing = (
                asyncio.ensure_future(closing) if is_asyncio_available() else deferred_from_coro(closing)
            )
        raise TooManyPages(f"{self._most} requests were sent, and no more are allowed")
