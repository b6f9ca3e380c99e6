"""What every process that crawls does beside its slices: the same set in the embedded crawler and in a fleet's workers."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from scrapemaster.bootstrap import CrawlerApp


def loops_of(app: CrawlerApp) -> list[Coroutine[Any, Any, None]]:
    """Loops to run until the process stops. One that raises ends the process, which is then started again.

    Any number of processes may run them over one store: deliveries are sent under leases, and a schedule's run is given to
    whoever claims it; a proxy that several check at once is checked more often.
    """
    return [
        app.queue.until_broken(),
        app.dispatcher.run(),
        app.scheduler.run_forever(),
        app.keeper.run_forever(),
    ]
