import scrapy
from itemloaders.processors import Join, MapCompose, TakeFirst
from scrapy.loader import ItemLoader

from catalogue.items import Category, Product, cents, strip


class ProductLoader(ItemLoader):
    default_item_class = Product
    default_output_processor = TakeFirst()
    name_in = MapCompose(strip, str.title)
    cents_in = MapCompose(cents)
    facts_out = Join(" / ")


class LoadedSpider(scrapy.Spider):
    name = "loaded"
    site = "http://127.0.0.1:8080"

    async def start(self):
        yield scrapy.Request(f"{self.site}/", callback=self.parse_home)

    def parse_home(self, response):
        for link in response.css("nav a[href^='/category/']"):
            yield response.follow(link, cb_kwargs={"category": link.attrib["href"].rsplit("/", 1)[1]})

    def parse(self, response, category):
        yield Category(name=category, count=len(response.css("article")))
        yield from response.follow_all(css="article h2 a", callback=self.parse_product)

    def parse_product(self, response):
        loader = ProductLoader(response=response)
        loader.add_css("name", "h1.product-title::text")
        loader.add_css("cents", "p.price::text")
        loader.add_css("facts", "table.facts td::text")
        yield loader.load_item()
