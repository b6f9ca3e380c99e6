"""Spiders that walk through a site of numbered pages."""

import scrapy
from scrapy.exceptions import CloseSpider


class WalkSpider(scrapy.Spider):
    name = "walk"

    def __init__(self, start="", **kwargs):
        super().__init__(**kwargs)
        self.start_url = start

    async def start(self):
        yield scrapy.Request(self.start_url)

    def parse(self, response):
        yield {"n": int(response.css("p.n::text").get())}
        yield from response.follow_all(css="a", meta=response.meta)


class BlockedSpider(scrapy.Spider):
    """Asks for what may not be asked for, and for what is not there."""

    name = "blocked"

    def __init__(self, urls="", **kwargs):
        super().__init__(**kwargs)
        self.start_urls = urls.split()

    def parse(self, response):
        yield {"status": response.status}


class QuitterSpider(WalkSpider):
    """Closes itself."""

    name = "quitter"

    def parse(self, response):
        yield from super().parse(response)
        raise CloseSpider("bored")


class StumblingSpider(WalkSpider):
    """Raises in its callbacks, behind an item or before it."""

    name = "stumbling"

    def parse(self, response):
        number = int(response.css("p.n::text").get())
        if number % 3 == 1:
            raise ValueError(f"page {number} is odd")
        yield {"n": number}
        yield from response.follow_all(css="a")
        if number % 3 == 2:
            raise KeyError("missing")


class LateSpider(scrapy.Spider):
    """Cannot even start."""

    name = "late"

    async def start(self):
        yield {"n": 1}
        raise RuntimeError("no list of pages")


class WantingSpider(scrapy.Spider):
    """Needs an argument."""

    name = "wanting"

    def __init__(self, needed, **kwargs):
        super().__init__(**kwargs)


class PostingSpider(scrapy.Spider):
    """Asks the same address again and again, and means something else each time."""

    name = "posting"

    def __init__(self, start="", **kwargs):
        super().__init__(**kwargs)
        self.start_url = start

    async def start(self):
        for number in range(5):
            yield scrapy.Request(self.start_url, dont_filter=True, cb_kwargs={"number": number})

    def parse(self, response, number):
        yield {"number": number}
