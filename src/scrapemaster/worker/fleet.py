"""A worker process of a fleet: runs slices that it finds in Redis, until it is told to stop or its parent goes away."""

from __future__ import annotations

import asyncio
import gc
import sys

import structlog
import uvloop

from scrapemaster.bootstrap import CrawlerApp
from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.domain.errors import ScrapeMasterError
from scrapemaster.domain.ids import uuid7
from scrapemaster.fleet_parts import fleet_crawler_app
from scrapemaster.logs import set_up_logs
from scrapemaster.ports.store import Store
from scrapemaster.settings import Settings, load_settings
from scrapemaster.worker.child import stopper, told_to_stop
from scrapemaster.worker.loops import loops_of

log = structlog.get_logger(__name__)


async def work(settings: Settings, recorder: FlightRecorder | None) -> None:
    """Run slices until told to stop; those under way then end, and give their leases back."""
    worker = uuid7()
    async with told_to_stop() as stop:
        async with fleet_crawler_app(settings, worker, recorder, stopper(stop)) as app:
            if recorder is not None:
                await _take_over(app.store, recorder, worker)
            async with app.queue:
                gc.freeze()  # what is there by now stays, and is not to be looked through again and again
                await _run(app, stop)
            owes = len(app.runner.debts)
        # Who owes leases because the store was away at the end is followed as one that was killed.
        if recorder is not None and not owes:
            recorder.sign_off()


async def _take_over(store: Store, recorder: FlightRecorder, worker: str) -> None:
    """Give back at once what the process before this one held, if it did not end in order."""
    if (crash := recorder.crash()) is not None:
        leases = await store.frontier.release_all(worker=crash.worker, blamed=crash.page)
        await store.webhooks.release(crash.worker)
        log.warning("worker.took_over", leases=leases, job_id=crash.page and crash.page[0])
    recorder.sign_on(worker)


async def _run(app: CrawlerApp, stop: asyncio.Event) -> None:
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
    """Entry point of the process; its argument, if any, is the number of the open file of its flight recorder."""
    settings = load_settings()
    set_up_logs(settings)
    recorder = FlightRecorder(int(sys.argv[1])) if len(sys.argv) > 1 else None
    try:
        uvloop.run(work(settings, recorder))
    except ScrapeMasterError as error:
        log.error("worker.stopped", error=str(error))  # noqa: TRY400 -- a sentence for the operator, not a fault
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
