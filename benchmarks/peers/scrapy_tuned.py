"""Scrapy as fast as it goes: concurrency 32, nothing optional on, links by lxml without LinkExtractor, rows kept by the spider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urldefrag, urljoin

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response

from benchmarks.peers.order import Order, Row


class OrderSpider(Spider):
    """Follows every link below the prefix."""

    name = "order"

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order
        self.pages = 0
        self.rows: list[Row] = []
        self.texts = {name: f"{selector}::text" for name, selector in order.fields.items()}

    async def start(self) -> AsyncIterator[Request]:
        for url in self.order.urls:
            yield Request(url)

    def parse(self, response: Response) -> Iterator[Request]:
        if not isinstance(response, HtmlResponse):
            return
        order, page = self.order, response.selector
        self.pages += 1
        for scope in page.css(order.item) if order.item else (page,):
            row: Row = {"url": response.url}
            for name, selector in self.texts.items():
                row[name] = scope.css(selector).get()
            self.rows.append(row)
        for href in set(page.root.xpath("//a/@href")):
            url = urldefrag(urljoin(response.url, href)).url
            if url.startswith(order.prefix):
                yield Request(url)


def main() -> None:
    """Crawl and print the figures."""
    order = Order.read()
    process = CrawlerProcess(
        {
            "CONCURRENT_REQUESTS": order.concurrency,
            "CONCURRENT_REQUESTS_PER_DOMAIN": order.concurrency,
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
    crawler = process.create_crawler(OrderSpider)
    process.crawl(crawler, order=order)
    process.start()
    spider = crawler.spider
    if not isinstance(spider, OrderSpider):
        raise SystemExit("the spider did not start")
    order.report(spider.pages, spider.rows)


if __name__ == "__main__":
    main()
