"""Components as people install them into Scrapy, for jobs that name them."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from itemadapter import ItemAdapter
from scrapy import Request, signals
from scrapy.exceptions import DropItem, IgnoreRequest
from scrapy.http import HtmlResponse

#: What was done, by name.
CALLS = Counter()


class Agent:
    """Sends headers of its own."""

    @classmethod
    def from_crawler(cls, crawler):
        middleware = cls()
        middleware.agent = crawler.settings["PARTS_AGENT"] or "Parts/1.0"
        return middleware

    def process_request(self, request):
        request.headers["User-Agent"] = self.agent
        request.headers["X-Token"] = "secret of the middleware"


class Elsewhere:
    """Tries another page in the place of one that is refused, with a request that knows nothing of the first."""

    def process_response(self, request, response):
        if response.status == 403:
            return Request(response.urljoin("/page"))
        return response


class Circle:
    """Never lets a page through."""

    def process_response(self, request, response):
        return request.copy()


class Canned:
    """Answers by itself."""

    def process_request(self, request):
        return HtmlResponse(request.url, body=b"<title>canned</title>", encoding="utf-8")


class Rewriting:
    """Changes what comes."""

    def process_response(self, request, response):
        return response.replace(body=response.body.replace(b"page", b"rewritten"))


class Refusing:
    """Wants no page."""

    def process_request(self, request):
        raise IgnoreRequest("not this one")


class Failing:
    """Has a fault."""

    def process_response(self, request, response):
        raise ValueError("a fault of the middleware")


class Proxying:
    """Would go around the job's proxy."""

    def process_request(self, request):
        request.meta["proxy"] = "http://127.0.0.1:1"


class Late:
    """Sees what became of requests that brought no page."""

    def process_exception(self, request, exception):
        CALLS[type(exception).__name__] += 1


class FewerLinks:
    """Leaves out links of start pages, and adds two, of which one leads off the site."""

    async def process_spider_output(self, response, result):
        async for output in result:
            left_out = isinstance(output, Request) and output.url.endswith(("/2", "/5"))
            if not left_out or response.meta["depth"] != 0:
                yield output
        yield Request(response.urljoin("/t/5"))
        yield Request("http://127.0.0.9/elsewhere")


class Forgiving:
    """Takes errors for no output."""

    def process_spider_exception(self, response, exception):
        return []


@dataclass
class Typed:
    """An item of a type of its own."""

    n: str
    doubled: int


class Doubling:
    """Makes typed items; counts how often it is opened and closed."""

    def open_spider(self):
        CALLS["opened"] += 1

    def close_spider(self):
        CALLS["closed"] += 1

    async def process_item(self, item):
        number = ItemAdapter(item)["n"]
        return Typed(number, 2 * int(number))


class Odd:
    """Lets only odd numbers through."""

    def process_item(self, item):
        if int(item["n"]) % 2 == 0:
            raise DropItem("even")
        return item


class Broken:
    """Has a fault with one item."""

    def process_item(self, item):
        if item["n"] == "3":
            raise ValueError("no threes")
        return item


class Closing:
    """Closes the spider after an item."""

    @classmethod
    def from_crawler(cls, crawler):
        extension = cls()
        extension.crawler = crawler
        crawler.signals.connect(extension.scraped, signals.item_scraped)
        return extension

    def scraped(self):
        self.closing = asyncio.ensure_future(self.crawler.engine.close_spider_async(reason="enough"))


class Hanging:
    """Waits for what waits for it."""

    @classmethod
    def from_crawler(cls, crawler):
        extension = cls()
        extension.crawler = crawler
        crawler.signals.connect(extension.scraped, signals.item_scraped)
        return extension

    async def scraped(self):
        await self.crawler.engine.close_spider_async(reason="never")
