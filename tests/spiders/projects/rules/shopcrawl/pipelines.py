from decimal import Decimal

from itemadapter import ItemAdapter
from scrapy.exceptions import DropItem


class PricePipeline:
    def process_item(self, item):
        adapter = ItemAdapter(item)
        adapter["price"] = Decimal("".join(c for c in adapter["price"] if c.isdigit() or c == "."))
        return item


class DropSoldOut:
    def __init__(self, drop):
        self.drop = drop

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler.settings.getbool("DROP_SOLD_OUT"))

    def process_item(self, item):
        if self.drop and ItemAdapter(item)["stock"] == "Sold out":
            raise DropItem("sold out")
        return item
