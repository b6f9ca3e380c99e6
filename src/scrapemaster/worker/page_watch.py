"""Noticing that a process hangs at a page."""

from __future__ import annotations

import time
from collections.abc import Callable

from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.domain.ids import JobId

#: A process that has been extracting one page for this long (seconds) is killed, and the page is to blame.
PAGE_SECONDS = 10.0


class PageWatch:
    """Looks at what a process records, from outside of it. `clock` gives monotonic seconds."""

    def __init__(self, recorder: FlightRecorder, clock: Callable[[], float] = time.monotonic) -> None:
        self._recorder = recorder
        self._clock = clock
        self._page = recorder.under_way()
        self._since = clock()

    def hangs_at(self) -> JobId | None:
        """The job whose page has been worked on for too long; to be asked about each second."""
        now, before = self._clock(), self._page
        self._page = self._recorder.under_way()
        if self._page is None or self._page != before:
            self._since = now
        return self._page[1] if self._page is not None and now - self._since > PAGE_SECONDS else None
