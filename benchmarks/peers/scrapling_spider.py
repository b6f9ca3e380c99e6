"""Scrapling's spider: concurrency 32, robots obeyed, no logs, uvloop, no browser-like headers, links by lxml, rows kept by the spider.

Its engine looks for free places every 10 ms; the places are kept at 32 for all that, as everybody's are. Its debug messages are formatted only
where the level asks for them, except the one for each item (`pformat`), so that rows are not yielded but kept.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urldefrag, urljoin

from scrapling.fetchers import FetcherSession
from scrapling.spiders import Request, Response, Spider

from benchmarks.peers.order import Order, Row


class OrderSpider(Spider):
    """Follows every link below the prefix."""

    name = "order"
    robots_txt_obey = True
    concurrent_requests = 32
    logging_level = logging.CRITICAL

    def __init__(self, order: Order) -> None:
        self.order = order
        self.start_urls = order.urls
        self.concurrent_requests = order.concurrency
        self.pages = 0
        self.rows: list[Row] = []
        self.texts = {name: f"{selector}::text" for name, selector in order.fields.items()}
        self.known = set(order.urls)
        super().__init__()

    def configure_sessions(self, manager: Any) -> None:
        manager.add("default", FetcherSession(stealthy_headers=False, impersonate=None, retries=1))

    async def parse(self, response: Response) -> AsyncGenerator[dict[str, Any] | Request | None, None]:
        if response.status != 200 or not response.headers.get("content-type", "").startswith("text/html"):
            return
        order = self.order
        self.pages += 1
        for scope in response.css(order.item) if order.item else (response,):
            row: Row = {"url": response.url}
            for name, selector in self.texts.items():
                found = scope.css(selector).get()
                row[name] = None if found is None else str(found)
            self.rows.append(row)
        for href in set(response._root.xpath("//a/@href")):  # noqa: SLF001 -- its own selectors wrap each value
            url = urldefrag(urljoin(response.url, href)).url
            if url not in self.known and url.startswith(order.prefix):
                self.known.add(url)
                yield Request(url)


def main() -> None:
    """Crawl and print the figures."""
    order = Order.read()
    spider = OrderSpider(order)
    logging.disable(logging.CRITICAL)
    spider.start(use_uvloop=True)
    order.report(spider.pages, spider.rows)


if __name__ == "__main__":
    main()
