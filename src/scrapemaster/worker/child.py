"""How a process lives under a supervisor that may vanish: it stops when told, or when its standard input ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import structlog

log = structlog.get_logger(__name__)

#: Seconds between signs of life.
ALIVE_EVERY = 1.0


def stopper(stop: asyncio.Event) -> Callable[[str], None]:
    """What stops a process that another service has locked out of the store, and says why."""

    def lost(why: str) -> None:
        log.error("process.stops", error=why)
        stop.set()

    return lost


@contextlib.asynccontextmanager
async def told_to_stop() -> AsyncIterator[asyncio.Event]:
    """An event that is set by SIGTERM, and when the parent is gone; signs of life go to standard output meanwhile.

    Standard input and output are pipes to the parent. Ctrl-C reaches the whole group; the parent decides.
    """
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )

    async def listen() -> None:
        while await reader.read(4_096):
            pass
        stop.set()

    async def beat() -> None:
        descriptor = sys.stdout.fileno()
        os.set_blocking(descriptor, False)
        while True:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(descriptor, b".")
            await asyncio.sleep(ALIVE_EVERY)

    tasks = [asyncio.create_task(listen()), asyncio.create_task(beat())]
    try:
        yield stop
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        transport.close()
