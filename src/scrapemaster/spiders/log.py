"""What a spider logs, passed on to its job's log."""

from __future__ import annotations

import logging

from scrapy.settings import BaseSettings

from scrapemaster.spiders.messages import Line
from scrapemaster.spiders.teller import Teller

#: Loggers that tell of each page, or of themselves: of these only what is a warning or worse.
_CHATTY = (
    "scrapy",
    "twisted",
    "asyncio",
    "urllib3",
    "httpx",
    "httpcore",
    "filelock",
    "charset_normalizer",
    "py.warnings",
)
#: Characters of a line.
_LONGEST = 1_000


class Listener(logging.Handler):
    """Passes on the lines of the spider and its project from INFO on, of libraries from WARNING on."""

    def __init__(self, teller: Teller, level: int) -> None:
        super().__init__(max(level, logging.INFO))
        self._teller = teller

    @classmethod
    def install(cls, teller: Teller, settings: BaseSettings) -> None:
        """Listen to everything that is logged from now on, as far as the project's `LOG_LEVEL` goes."""
        if not settings.getbool("LOG_ENABLED"):
            return
        level = logging.getLevelName(settings.get("LOG_LEVEL") or "INFO")
        logging.root.setLevel(logging.INFO)
        logging.root.addHandler(cls(teller, level if isinstance(level, int) else logging.INFO))

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging`."""
        if record.levelno < logging.WARNING and record.name.partition(".")[0] in _CHATTY:
            return
        try:
            text = record.getMessage().strip()
            if record.exc_info and record.exc_info[1] is not None:
                text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        except Exception:  # noqa: BLE001 -- an argument that cannot be written must not end the spider
            text = str(record.msg)
        self._teller.tell(Line(record.levelno, text[:_LONGEST]))
