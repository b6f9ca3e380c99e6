"""What every process that crawls does beside its slices: the same set in the embedded crawler and in a fleet's workers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from scrapemaster.bootstrap import CrawlerApp


def loops_of(app: CrawlerApp) -> list[Coroutine[Any, Any, None]]:
    """Loops to run until the process stops. One that raises ends the process, which is then started again."""
    return [app.queue.until_broken()]
