"""Scrapy as fast as it goes: concurrency 32, nothing optional on, links by lxml without LinkExtractor."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin, urlsplit

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response


class ManualSpider(Spider):
    """Follows every link of one host; a row with title and first heading for each page."""

    name = "manual"

    def __init__(self, start: str) -> None:
        super().__init__()
        self.host = urlsplit(start).netloc
        self.first = start
        self.rows: list[dict[str, str | None]] = []

    async def start(self) -> Iterator[Request]:
        yield Request(self.first)

    def parse(self, response: Response) -> Iterator[Request]:
        if not isinstance(response, HtmlResponse):
            return
        selector = response.selector
        self.rows.append({"title": selector.css("title::text").get(), "h2": selector.css("h2::text").get()})
        for href in set(selector.root.xpath("//a/@href")):
            url = urldefrag(urljoin(response.url, href)).url
            if urlsplit(url).netloc == self.host:
                yield Request(url)


def main() -> None:
    """Crawl the URL given and print the figures."""
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": 32,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
            "DOWNLOAD_DELAY": 0,
            "LOG_LEVEL": "ERROR",
            "ROBOTSTXT_OBEY": True,
            "COOKIES_ENABLED": False,
            "RETRY_ENABLED": False,
            "REDIRECT_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "REFERER_ENABLED": False,
            "EXTENSIONS": {
                "scrapy.extensions.corestats.CoreStats": None,
                "scrapy.extensions.logstats.LogStats": None,
                "scrapy.extensions.memusage.MemoryUsage": None,
            },
            "EVENT_LOOP": "uvloop.Loop",
            "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
        },
        install_root_handler=False,
    )
    crawler = process.create_crawler(ManualSpider)
    started = time.perf_counter()
    process.crawl(crawler, start=sys.argv[1])
    process.start()
    seconds = time.perf_counter() - started
    rows = crawler.spider.rows if crawler.spider is not None else []
    print(
        json.dumps({"pages": len(rows), "titles": sum(1 for row in rows if row["title"]), "seconds": seconds})
    )


if __name__ == "__main__":
    main()
