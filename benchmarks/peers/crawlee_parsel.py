"""Crawlee for Python: ParselCrawler, 32 at once from the start, memory storage, no logs, no sessions, no retries, robots obeyed, links by lxml.

Requests are added in one call a page, those that were added before left out; `enqueue_links` takes longer. Rows are kept by the handler.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from urllib.parse import urldefrag, urljoin

import uvloop
from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import MemoryStorageClient

from benchmarks.peers.order import Order, Row


async def crawl(order: Order) -> tuple[int, list[Row]]:
    """Fetch every page that is reachable."""
    crawler = ParselCrawler(
        concurrency_settings=ConcurrencySettings(
            min_concurrency=order.concurrency,
            max_concurrency=order.concurrency,
            desired_concurrency=order.concurrency,
        ),
        storage_client=MemoryStorageClient(),
        use_session_pool=False,
        max_request_retries=0,
        respect_robots_txt_file=True,
        request_handler_timeout=timedelta(seconds=60),
        configure_logging=False,
    )
    texts = {name: f"{selector}::text" for name, selector in order.fields.items()}
    rows: list[Row] = []
    known = set(order.urls)
    pages: list[str] = []

    @crawler.router.default_handler
    async def handle(context: ParselCrawlingContext) -> None:
        if not (context.http_response.headers.get("content-type") or "").startswith("text/html"):
            return
        page, url = context.selector, context.request.loaded_url or context.request.url
        pages.append(url)
        for scope in page.css(order.item) if order.item else (page,):
            row: Row = {"url": url}
            for name, selector in texts.items():
                row[name] = scope.css(selector).get()
            rows.append(row)
        found = {urldefrag(urljoin(url, href)).url for href in set(page.root.xpath("//a/@href"))}
        new = [link for link in found if link not in known and link.startswith(order.prefix)]
        known.update(new)
        if new:
            await context.add_requests(new)

    await crawler.run(order.urls)
    return len(pages), rows


def main() -> None:
    """Crawl and print the figures."""
    logging.disable(logging.CRITICAL)
    order = Order.read()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pages, rows = runner.run(crawl(order))
    order.report(pages, rows)


if __name__ == "__main__":
    main()
