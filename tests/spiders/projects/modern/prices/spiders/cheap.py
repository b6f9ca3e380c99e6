import asyncio

import scrapy
from pydantic import BaseModel


class Price(BaseModel):
    name: str
    price: str
    page: int


class CheapSpider(scrapy.Spider):
    name = "cheap"
    custom_settings = {"DOWNLOADER_MIDDLEWARES": {"prices.middlewares.Nothing": 100}}

    def __init__(self, site="http://127.0.0.1:8080", pages="2", **kwargs):
        super().__init__(**kwargs)
        self.site = site
        self.pages = int(pages)

    async def start(self):
        yield {"name": "start", "pages": self.pages}
        for number in range(1, self.pages + 1):
            await asyncio.sleep(0)
            yield scrapy.Request(f"{self.site}/?page={number}", cb_kwargs={"number": number}, errback=self.failed)

    async def parse(self, response, number):
        robots = await self.crawler.engine.download_async(scrapy.Request(f"{self.site}/robots.txt"))
        assert robots.status == 200
        for card in response.css("article.product"):
            yield Price(name=card.css("h2 a::text").get(), price=card.css(".price::text").get(), page=number)

    def failed(self, failure):
        yield {"name": "failed", "error": failure.type.__name__}
