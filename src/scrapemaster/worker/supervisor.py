"""Keeps a crawler process running, and carries messages to and from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time

import structlog

from scrapemaster import __version__
from scrapemaster.data_folder import flight_recorder
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Priority
from scrapemaster.domain.worker import Figures, WorkerReport
from scrapemaster.ports.tracing import NoTracer, Tracer, Work
from scrapemaster.services.watchers import Watchers
from scrapemaster.settings import Settings, settings_environment
from scrapemaster.worker.messages import Alive, Deliver, Happened, Wake, from_line, to_line
from scrapemaster.worker.page_watch import PageWatch

log = structlog.get_logger(__name__)

#: A crawler that has given no sign of life for this long (seconds) is killed: native code hangs.
HANG_SECONDS = 30.0
#: Seconds a crawler is given to stop by itself.
STOP_SECONDS = 4.0
#: Seconds before a crawler that ended is started again; doubled for each quick end, up to the last.
_RESTART_AFTER = (0.1, 10.0)


class CrawlerProcess:
    """The supervised crawler: a `Queue` and a `Courier` for the services, and the only one of its `Workers`.

    `watchers` hear of what it tells of.
    """

    def __init__(self, settings: Settings, tracer: Tracer | None = None) -> None:
        self._settings = settings
        self._tracer = tracer or NoTracer()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._alive_at = 0.0
        self._alive = Alive()
        self._started_at = 0.0
        self._stop_asked = asyncio.Event()
        self._heard_of = False
        self.watchers = Watchers()
        self.restarts = 0

    @property
    def healthy(self) -> bool:
        """Whether the crawler gave a sign of life of late."""
        return self._process is not None and time.monotonic() - self._alive_at < 5.0

    async def reports(self) -> list[WorkerReport]:
        """See `ports.workers.Workers`."""
        process = self._process
        if process is None or not self.healthy:
            return []
        return [
            WorkerReport(
                f"crawler-{process.pid}",
                socket.gethostname(),
                process.pid,
                __version__,
                self._started_at,
                time.time() - (time.monotonic() - self._alive_at),
                self._alive.slices,
                self._alive.pages_per_second,
                Figures.of(self._alive.figures),
            )
        ]

    @property
    def pid(self) -> int | None:
        """The process id of the crawler that runs now."""
        return self._process.pid if self._process is not None else None

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop_asked.is_set()

    async def start(self) -> None:
        """Start the crawler and keep it running."""
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop it: kindly, then for good."""
        self._stop_asked.set()
        process = self._process
        if process is not None and process.returncode is None:
            if not self._heard_of:
                # It is starting still, has nothing in hand, and would not listen before it has started.
                process.kill()
            elif process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                log.warning("crawler.killed", pid=process.pid, why="it did not stop")
                process.kill()
                await process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def wake(self, job_id: JobId, priority: Priority) -> None:
        """See `ports.queue.Queue`. A message that is lost costs a second: the sweep finds the job."""
        facts = {"scrapemaster.job_id": job_id, "scrapemaster.priority": priority.value}
        with self._tracer.span(Work.WAKE, "wake", facts) as span:
            await self._tell(Wake(job_id, priority, span.traceparent))

    async def nudge(self) -> None:
        """See `ports.webhooks.Courier`."""
        await self._tell(Deliver())

    async def _tell(self, message: Wake | Deliver) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        with contextlib.suppress(ConnectionError):
            process.stdin.write(to_line(message))
            await process.stdin.drain()

    async def _keep(self) -> None:
        pause, longest = _RESTART_AFTER
        while not self.stopping:
            began = time.monotonic()
            await self._run_once()
            self.restarts += 1
            if time.monotonic() - began > longest:
                pause = _RESTART_AFTER[0]
            if not self.stopping:
                log.warning("crawler.restarts", after_seconds=pause)
            await asyncio.sleep(pause)  # `stop` cancels it
            pause = min(longest, pause * 2)

    async def _run_once(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "scrapemaster.worker.crawler",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **settings_environment(self._settings)},
        )
        self._process = process
        self._heard_of = False
        self._alive_at = time.monotonic()
        self._started_at = time.time()
        self._alive = Alive()
        watchdog = asyncio.create_task(self._watchdog(process))
        try:
            await self._listen(process)
            code = await process.wait()
            if not self.stopping:
                log.error("crawler.ended", pid=process.pid, code=code)
        finally:
            watchdog.cancel()
            self._process = None
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            self._alive_at = time.monotonic()
            self._heard_of = True
            try:
                message = from_line(line)
            except ValueError:
                log.warning("crawler.said", line=line[:200].decode("utf-8", "replace"))
                continue
            if isinstance(message, Happened):
                self.watchers.heard(message.event)
            elif isinstance(message, Alive):
                self._alive = message

    async def _watchdog(self, process: asyncio.subprocess.Process) -> None:
        recorder = flight_recorder(self._settings)
        pages = PageWatch(recorder)
        try:
            while True:
                await asyncio.sleep(1.0)
                job_id = pages.hangs_at()
                if job_id is not None:
                    log.error("crawler.killed", pid=process.pid, why="it hangs at a page", job_id=job_id)
                    process.kill()
                    return
                if time.monotonic() - self._alive_at > HANG_SECONDS:
                    log.error("crawler.killed", pid=process.pid, why="it gave no sign of life")
                    process.kill()
                    return
        finally:
            recorder.close()
