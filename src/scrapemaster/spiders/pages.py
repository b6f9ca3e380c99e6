"""What becomes of a spider's requests: each is told of once, when it is done with."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from itemadapter import ItemAdapter
from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadConnectionRefusedError,
    DownloadTimeoutError,
    IgnoreRequest,
)
from scrapy.http import Request, Response
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from scrapemaster.spiders.items import encoded
from scrapemaster.spiders.messages import Page, Standing
from scrapemaster.spiders.outgoing import SERIAL, TooManyPages
from scrapemaster.spiders.teller import Teller

#: Items, and bytes of them, after which a page is told of in parts.
_ITEMS, _BYTES = 5_000, 8 * 1024 * 1024
#: Seconds between messages that say how far it is.
_STANDING_EVERY = 0.5
#: Bytes of a page's identity.
_IDENT_BYTES = 16
#: How the gate says why it made no connection: in its answer, or in what Scrapy says of it.
GATE_HEADER = "X-ScrapeMaster-Gate"
_GATE_SAYS = re.compile(r"'reason': b'gate ([a-z_]+)'")
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (DownloadTimeoutError, "timeout"),
    (CannotResolveHostError, "dns_failure"),
    (DownloadConnectionRefusedError, "connection_refused"),
)
_LONGEST = 500


@dataclass(slots=True)
class _Open:
    """A page whose callback, items or pipelines are at work still."""

    ident: bytes
    url: str
    result: Response | Failure
    at: float
    items: list[bytes] = field(default_factory=list)
    size: int = 0
    parts: int = 0
    failed: int = 0
    error: str | None = None


class Pages:
    """Watches a crawler.

    A page's identity is made of its request's fingerprint, how often the same was scraped before, and, for requests that the
    duplicate filter does not hold back, their callback and its arguments: so that a run anew gives the same page the same one.
    """

    def __init__(self, crawler: Crawler, teller: Teller) -> None:
        self._crawler = crawler
        self._teller = teller
        self._serials = 0
        self._waiting: dict[int, bytes] = {}
        self._seen: Counter[bytes] = Counter()
        self._open: dict[int, _Open] = {}
        self._loose = 0
        self._done = 0
        self._told_at = 0.0
        self.start_error: str | None = None
        connect = crawler.signals.connect
        connect(self._scheduled, signals.request_scheduled)
        connect(self._dropped, signals.request_dropped)
        connect(self._started, signals.engine_started)
        connect(self._scraped, signals.item_scraped)
        connect(self._item_failed, signals.item_dropped)
        connect(self._item_failed, signals.item_error)
        connect(self._spider_failed, signals.spider_error)

    def _scheduled(self, request: Request) -> None:
        # A redirected or repeated request is another object with the same meta; so is one that a callback makes of its response's,
        # but then that one is no longer waiting.
        if request.meta.get(SERIAL) not in self._waiting:
            self._serials += 1
            request.meta[SERIAL] = self._serials
            self._waiting[self._serials] = self._base_of(request)

    def _dropped(self, request: Request) -> None:
        self._waiting.pop(request.meta.get(SERIAL, 0), None)

    def _base_of(self, request: Request) -> bytes:
        mark = blake2b(digest_size=_IDENT_BYTES)
        mark.update(self._crawler.request_fingerprinter.fingerprint(request))
        if request.dont_filter:
            arguments = json.dumps(
                request.cb_kwargs, sort_keys=True, default=lambda value: type(value).__name__
            )
            mark.update(f"{getattr(request.callback, '__name__', '')} {arguments}".encode("utf-8", "replace"))
        return mark.digest()

    def _started(self) -> None:
        scraper = self._crawler.engine.scraper
        scrape: Callable[[Any, Request], Deferred[None]] = scraper.enqueue_scrape

        def watched(result: Response | Failure, request: Request) -> Deferred[None]:
            page = self._begin(result, request)

            def end(value: Any) -> Any:
                if page is not None:
                    self._end(page)
                return value

            return scrape(result, request).addBoth(end)

        scraper.enqueue_scrape = watched  # type: ignore[method-assign]

    def _begin(self, result: Response | Failure, request: Request) -> _Open | None:
        base = self._waiting.pop(request.meta.get(SERIAL, 0), None)
        if base is None or (isinstance(result, Failure) and isinstance(result.value, TooManyPages)):
            return None
        self._seen[base] += 1
        ident = blake2b(base, digest_size=_IDENT_BYTES)
        ident.update(self._seen[base].to_bytes(8))
        url = result.url if isinstance(result, Response) else request.url
        page = self._open[id(result)] = _Open(ident.digest(), url, result, time.time())
        return page

    def _scraped(self, item: Any, response: Response | Failure | None) -> None:
        page = self._open.get(id(response))
        try:
            data = encoded(ItemAdapter(item).asdict() if ItemAdapter.is_item(item) else item)
        except (TypeError, ValueError) as error:
            if page is not None:
                page.failed += 1
                page.error = page.error or f"an item cannot be written as JSON: {error}"
            return
        if page is None:
            self._tell_loose(data)
            return
        page.items.append(data)
        page.size += len(data)
        if len(page.items) >= _ITEMS or page.size >= _BYTES:
            self._tell_part(page)

    def _item_failed(self, response: Response | Failure | None) -> None:
        if (page := self._open.get(id(response))) is not None:
            page.failed += 1

    def _spider_failed(self, failure: Failure, response: Response | Failure | None) -> None:
        text = f"{failure.type.__name__ if failure.type else 'error'}: {failure.getErrorMessage()}"
        if response is None:
            self.start_error = text
        elif (page := self._open.get(id(response))) is not None:
            page.error = text

    def _tell_loose(self, data: bytes) -> None:
        """An item of no page, such as `start` may give: told of by itself, known by its number."""
        self._loose += 1
        ident = blake2b(b"loose" + self._loose.to_bytes(8), digest_size=_IDENT_BYTES).digest()
        name = self._crawler.spider.name if self._crawler.spider else ""
        self._teller.tell(Page(ident, f"spider:{name}", time.time(), [data], asked=False))

    def _tell_part(self, page: _Open) -> None:
        page.parts += 1
        ident = _part_of(page.ident, page.parts)
        self._teller.tell(Page(ident, page.url, page.at, page.items, asked=False))
        page.items, page.size = [], 0

    def _end(self, page: _Open) -> None:
        self._open.pop(id(page.result), None)
        self._done += 1
        told = self._told(page)
        yielded = bool(page.items or page.parts)
        if told.reason is not None and yielded:
            # What it yielded stays, and what went wrong is told of beside it.
            error = Page(
                _part_of(page.ident, -1),
                told.url,
                told.at,
                reason=told.reason,
                detail=told.detail,
                asked=False,
            )
            self._teller.tell(error)
        reason = None if yielded else told.reason
        self._teller.tell(
            Page(
                told.ident,
                told.url,
                told.at,
                page.items,
                told.status,
                reason,
                told.detail if reason else "",
                told.skipped,
                told.asked,
                told.elapsed,
                told.size,
                page.failed,
            )
        )
        self._tell_standing()

    def _told(self, page: _Open) -> Page:
        """What is told of a page, without its items."""
        result = page.result
        if isinstance(result, Failure):
            return self._told_of_failure(page, result)
        gate = (result.headers.get(GATE_HEADER) or b"").decode("latin-1")
        reason, detail = None, ""
        if page.error is not None:
            reason = "spider_error"
            detail = page.error
        elif gate:
            reason, _, detail = gate.partition(" ")
        elif result.status >= 400:
            reason, detail = f"http_{result.status}", f"the server answered {result.status}"
        return Page(
            page.ident, page.url, page.at, (), None if gate else result.status, reason, detail[:_LONGEST],
            elapsed=float((result.request.meta if result.request else {}).get("download_latency") or 0.0), size=len(result.body),
        )  # fmt: skip

    def _told_of_failure(self, page: _Open, failure: Failure) -> Page:
        error = failure.value
        detail = f"{type(error).__name__}: {error}"[:_LONGEST]
        if isinstance(error, IgnoreRequest):
            robots = "robots.txt" in str(error)
            reason = "ignored"
            if robots:
                reason = "robots_denied"
            detail = "robots.txt does not allow it" if robots else detail
            return Page(page.ident, page.url, page.at, (), None, reason, detail, skipped=True, asked=False)
        said = _GATE_SAYS.search(str(error))
        reason = "download_failed"
        for kind, code in _REASONS:
            if isinstance(error, kind):
                reason = code
        reason = said[1] if said else reason
        return Page(page.ident, page.url, page.at, (), None, reason, detail)

    def _tell_standing(self) -> None:
        now = time.monotonic()
        if now - self._told_at < _STANDING_EVERY:
            return
        self._told_at = now
        self._teller.tell(Standing(self._done, len(self._waiting) + len(self._open)))


def _part_of(ident: bytes, part: int) -> bytes:
    return blake2b(ident + part.to_bytes(8, signed=True), digest_size=_IDENT_BYTES).digest()
