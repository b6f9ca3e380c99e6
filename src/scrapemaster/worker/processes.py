"""Keeps a set of child processes running, and takes them along when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.worker.page_watch import PageWatch

log = structlog.get_logger(__name__)

#: A child that has given no sign of life for this long (seconds) is killed: native code hangs.
HANG_SECONDS = 60.0
#: Seconds a child is given to stop by itself.
STOP_SECONDS = 8.0
#: Seconds before a child that ended is started again; doubled for each quick end, up to the last.
_RESTART_AFTER = (0.1, 10.0)


@dataclass(slots=True, frozen=True)
class ChildSpec:
    """A Python module to run, with arguments, and open files that it inherits.

    `recorder`: the file in which it records the page it is extracting.
    """

    name: str
    module: str
    arguments: Sequence[str] = ()
    files: Sequence[int] = ()
    recorder: int | None = None


class Children:
    """Child processes, each started again when it ends. When this process dies, their standard input ends, and they stop."""

    def __init__(self, specs: Sequence[ChildSpec], environment: Mapping[str, str]) -> None:
        self._specs = specs
        self._environment = {**os.environ, **environment}
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Keep them running until `stop`; returns when all of them have ended."""
        keepers = [asyncio.create_task(self._keep(spec)) for spec in self._specs]
        await stop.wait()
        self._stopping = True
        await asyncio.gather(*(self._end(process) for process in list(self._running)))
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep(self, spec: ChildSpec) -> None:
        pause, longest = _RESTART_AFTER
        while not self._stopping:
            began = time.monotonic()
            await self._run_once(spec)
            if time.monotonic() - began > longest:
                pause = _RESTART_AFTER[0]
            await asyncio.sleep(pause)
            pause = min(longest, pause * 2)

    async def _run_once(self, spec: ChildSpec) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            spec.module,
            *spec.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=spec.files,
            env=self._environment,
        )
        self._running.add(process)
        watch = asyncio.create_task(self._watch_pages(spec, process))
        try:
            await self._listen(spec, process)
            code = await process.wait()
            if not self._stopping:
                log.error("process.ended", name=spec.name, pid=process.pid, code=code)
        finally:
            watch.cancel()
            self._running.discard(process)
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _listen(self, spec: ChildSpec, process: asyncio.subprocess.Process) -> None:
        """Read the child's signs of life until it closes the pipe; kill it when they stay away."""
        while process.stdout is not None:
            try:
                async with asyncio.timeout(HANG_SECONDS):
                    if not await process.stdout.read(4_096):
                        return
            except TimeoutError:
                log.error("process.killed", name=spec.name, pid=process.pid, why="it gave no sign of life")  # noqa: TRY400
                process.kill()
                return

    async def _watch_pages(self, spec: ChildSpec, process: asyncio.subprocess.Process) -> None:
        """Kill the child when it hangs at a page."""
        if spec.recorder is None:
            return
        recorder = FlightRecorder(spec.recorder)
        pages = PageWatch(recorder)
        try:
            while True:
                await asyncio.sleep(1.0)
                if (job_id := pages.hangs_at()) is not None:
                    why = "it hangs at a page"
                    log.error("process.killed", name=spec.name, pid=process.pid, why=why, job_id=job_id)
                    process.kill()
                    return
        finally:
            recorder.close()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Stop a child: kindly, then for good."""
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.warning("process.killed", pid=process.pid, why="it did not stop")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
