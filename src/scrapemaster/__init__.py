"""ScrapeMaster: a scraping service for one's own machines."""

import sys
from typing import Any

__version__ = "0.1.0"

#: structlog loads Twisted wherever that is installed, as it is beside Scrapy: 50 ms and 10 MB for each process, none of which logs through it.
_modules: dict[str, Any] = sys.modules
_modules.setdefault("structlog.twisted", None)
