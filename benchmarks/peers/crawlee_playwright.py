"""Crawlee's PlaywrightCrawler over the same pages: `URL PAGES AT_ONCE BLOCKING CHROMIUM FRESH`; prints pages a second."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from datetime import timedelta

from crawlee import ConcurrencySettings
from crawlee.crawlers import PlaywrightCrawler, PlaywrightCrawlingContext, PlaywrightPreNavCrawlingContext
from crawlee.storage_clients import MemoryStorageClient


async def main(url: str, pages: int, at_once: int, *, blocking: bool, chromium: str, fresh: bool) -> None:
    crawler = PlaywrightCrawler(
        browser_type="chromium",
        headless=True,
        # By itself it has one context for all pages, with one cache.
        use_incognito_pages=fresh,
        browser_launch_options={"executable_path": chromium, "chromium_sandbox": os.geteuid() != 0},
        concurrency_settings=ConcurrencySettings(
            min_concurrency=at_once, max_concurrency=at_once, desired_concurrency=at_once
        ),
        storage_client=MemoryStorageClient(),
        request_handler_timeout=timedelta(seconds=60),
        configure_logging=False,
    )
    first: list[float] = []

    @crawler.router.default_handler
    async def handle(context: PlaywrightCrawlingContext) -> None:
        text = await context.page.content()
        if "Row 49" not in text:
            raise RuntimeError("a page came without what its script makes")
        first.append(time.perf_counter())

    if blocking:

        @crawler.pre_navigation_hook
        async def leave_out(context: PlaywrightPreNavCrawlingContext) -> None:
            await context.block_requests()

    await crawler.run([f"{url}/page/{number}" for number in range(pages + 1)])
    print((len(first) - 1) / (first[-1] - first[0]))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(
        main(
            sys.argv[1],
            int(sys.argv[2]),
            int(sys.argv[3]),
            blocking=sys.argv[4] == "1",
            chromium=sys.argv[5],
            fresh=sys.argv[6] == "1",
        )
    )
