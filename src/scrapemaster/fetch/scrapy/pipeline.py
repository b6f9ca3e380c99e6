"""Our store as Scrapy's last item pipeline."""

from __future__ import annotations

from typing import Any

from itemadapter import ItemAdapter
from scrapy.exceptions import DropItem

from scrapemaster.fetch.scrapy.ticket import CURRENT


class RowPipeline:
    """Takes the items that all other pipelines let through: they are committed together with their page."""

    def process_item(self, item: Any) -> Any:
        """Keep an item of any type that Scrapy knows."""
        ticket = CURRENT.get()
        if ticket is None:
            raise DropItem("it belongs to no page")
        ticket.keep(item if type(item) is dict else ItemAdapter(item).asdict())
        return item
