"""A worker process of a fleet: runs slices that it finds in Redis, until it is told to stop or its parent goes away."""

from __future__ import annotations

import asyncio
import sys

import structlog
import uvloop

from scrapemaster.bootstrap import fleet_crawler_app
from scrapemaster.domain.errors import ScrapeMasterError
from scrapemaster.logs import set_up_logs
from scrapemaster.settings import Settings, load_settings
from scrapemaster.worker.child import told_to_stop
from scrapemaster.worker.loops import loops_of

log = structlog.get_logger(__name__)


async def work(settings: Settings) -> None:
    """Run slices until told to stop; those under way then end, and give their leases back."""
    async with told_to_stop() as stop, fleet_crawler_app(settings) as app, app.queue:
        tasks: list[asyncio.Task[None]] = [asyncio.create_task(part) for part in loops_of(app)]
        stopped: asyncio.Task[object] = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and not stop.is_set():
                    task.result()
        finally:
            stopped.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(stopped, *tasks, return_exceptions=True)


def main() -> int:
    """Entry point of the process."""
    settings = load_settings()
    set_up_logs(settings)
    try:
        uvloop.run(work(settings))
    except ScrapeMasterError as error:
        log.error("worker.stopped", error=str(error))  # noqa: TRY400 -- a sentence for the operator, not a fault
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
