from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule

from shopcrawl.items import ProductItem


class ProductsSpider(CrawlSpider):
    name = "products"
    rules = (
        Rule(LinkExtractor(allow=r"/category/", restrict_css="nav")),
        Rule(LinkExtractor(allow=r"/product/", restrict_css="article"), callback="parse_product"),
    )

    def __init__(self, site="http://127.0.0.1:8080", *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.start_urls = [site + "/"]

    def parse_product(self, response):
        self.logger.info("product %s", response.url)
        item = ProductItem()
        item["name"] = response.css("h1.product-title::text").get()
        item["price"] = response.css("p.price::text").get()
        item["stock"] = response.css("p.stock::text").get()
        item["url"] = response.url
        item["stamp"] = response.meta["stamp"]
        return item
