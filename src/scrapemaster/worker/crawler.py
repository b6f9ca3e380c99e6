"""The crawler process: runs slices until its parent goes away or it is told to stop.

It is told of jobs on standard input and tells of events on standard output. When standard input ends, the parent
is gone, however it went, and the crawler stops: no orphan is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from typing import BinaryIO

import structlog
import uvloop

from scrapemaster.bootstrap import crawler_app
from scrapemaster.crawl.runner import SliceRunner
from scrapemaster.data_folder import flight_recorder, only_one
from scrapemaster.domain.errors import ScrapeMasterError
from scrapemaster.domain.events import Event
from scrapemaster.logs import set_up_logs
from scrapemaster.settings import Settings, load_settings
from scrapemaster.worker.loops import loops_of
from scrapemaster.worker.messages import Alive, Deliver, Happened, Wake, from_line, to_line

log = structlog.get_logger(__name__)

#: Seconds between signs of life.
ALIVE_EVERY = 1.0
#: Seconds to wait for an earlier crawler on the same data folder to end.
_PREDECESSOR_SECONDS = 10.0


class PipeEvents:
    """An `EventSink` that writes to the parent. What the pipe has no room for is dropped."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._descriptor = pipe.fileno()
        os.set_blocking(self._descriptor, False)

    def publish(self, event: Event) -> None:
        """See `ports.events.EventSink`."""
        self._write(to_line(Happened(event)))

    def alive(self, runner: SliceRunner) -> None:
        """Give a sign of life."""
        figures = tuple(runner.figures.flat())
        self._write(to_line(Alive(runner.slices, runner.pages_per_second(), figures)))

    def _write(self, line: bytes) -> None:
        # Lines are shorter than PIPE_BUF, so that a write is whole or not at all.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._descriptor, line)


async def crawl(settings: Settings, orders: BinaryIO, events: PipeEvents) -> None:
    """Run until `orders` ends or SIGTERM comes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), orders)
    recorder = flight_recorder(settings)
    async with crawler_app(settings, events, recorder) as app:
        # No other process crawls: whatever is leased is left over.
        died_at = recorder.under_way()
        await app.store.frontier.release_all(blamed=None if died_at is None else died_at[1:])
        recorder.end()
        await app.store.webhooks.release(None)
        async with app.queue as queue:
            gc.freeze()  # what is there by now stays, and is not to be looked through again and again

            async def listen() -> None:
                while line := await reader.readline():
                    message = from_line(line)
                    if isinstance(message, Wake | Deliver):
                        app.dispatcher.poke()
                    if isinstance(message, Wake):
                        await queue.take_up(message.job_id, message.priority, message.order)
                stop.set()

            async def beat() -> None:
                while True:
                    events.alive(app.runner)
                    await asyncio.sleep(ALIVE_EVERY)

            tasks: list[asyncio.Task[None]] = [
                asyncio.create_task(part) for part in (listen(), beat(), *loops_of(app))
            ]
            stopped: asyncio.Task[object] = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done() and not stop.is_set():
                        task.result()
            finally:
                app.runner.stop()
                stopped.cancel()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, stopped, return_exceptions=True)


def main() -> int:
    """Entry point of the process."""
    # Ctrl-C reaches the whole group; the parent decides, and closes our standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = load_settings()
    set_up_logs(settings)
    events = PipeEvents(sys.stdout.buffer)
    try:
        # A crawler that was orphaned a moment ago may be ending still.
        with only_one(settings, "crawler", wait=_PREDECESSOR_SECONDS):
            uvloop.run(crawl(settings, sys.stdin.buffer, events))
    except ScrapeMasterError as error:
        log.error("crawler.stopped", error=str(error))  # noqa: TRY400 -- a sentence for the operator, not a fault
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
