"""What Scrapy logs: nothing for each page, as what becomes of a page stands in its job."""

from __future__ import annotations

import logging
from typing import Any

from scrapy import Request, Spider
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult


class QuietLog(LogFormatter):
    """Says nothing of pages and items, and of their errors only to those who debug."""

    def crawled(self, request: Request, response: Response, spider: Spider) -> None:  # type: ignore[override] # None is allowed
        """Nothing."""

    def scraped(self, item: Any, response: Any, spider: Spider) -> None:  # type: ignore[override] # None is allowed
        """Nothing."""

    def dropped(self, item: Any, exception: BaseException, response: Any, spider: Spider) -> None:  # type: ignore[override] # None is allowed
        """Nothing."""

    def item_error(
        self, item: Any, exception: BaseException, response: Any, spider: Spider
    ) -> LogFormatterResult:
        """The page's failure says it."""
        return {**super().item_error(item, exception, response, spider), "level": logging.DEBUG}
