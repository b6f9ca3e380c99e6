"""Processes in which pages are extracted that could hang or crash the crawler."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from dataclasses import dataclass

import structlog

from scrapemaster.crawl.isolated_messages import LENGTH, MAX_ANSWER, Done, Task, answer_of, pack
from scrapemaster.domain.errors import GiveUpPage

log = structlog.get_logger(__name__)

#: Tries of a page whose extraction ends the process at it.
TRIES = 3
#: Processes at once: each job has one at most.
_PROCESSES = max(2, min(8, os.cpu_count() or 2))
#: Seconds beyond a task's own after which the process is ended from here; normally the kernel's alarm comes first.
_GRACE = 2.0
#: After so many pages that took too long, a job shares one process with all that are like it.
_SLOW_PAGES = 2
_REMEMBER = 10_000


class _Died(Exception):
    """The process ended at its task. `code` as subprocesses have it: negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock
    waiting: int = 0


class Isolation:
    """A pool of isolated processes, started when they are needed.

    A page may take `seconds` and `memory` MiB. A page that takes longer fails; one at which the process dies is
    tried again in a new one, and fails as `poison` after three tries. A job has one process at a time, and those whose pages
    keep taking too long share one, so that nobody waits for them.
    """

    def __init__(self, seconds: float = 10.0, memory: int = 2_048) -> None:
        self._seconds = seconds
        self._memory = memory
        self._places = asyncio.Semaphore(_PROCESSES)
        self._slow_place = asyncio.Semaphore(1)
        self._turns: dict[str, _Turn] = {}
        self._slow: Counter[str] = Counter()
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    @property
    def seconds(self) -> float:
        """Seconds a page may take."""
        return self._seconds

    async def extract(self, owner: str, task: Task, *, tries: int = TRIES) -> Done:
        """Do a task, after earlier ones of the same `owner`; raises `GiveUpPage`."""
        turn = self._turns.setdefault(owner, _Turn(asyncio.Lock()))
        turn.waiting += 1
        try:
            async with turn.lock:
                if self._slow[owner] >= _SLOW_PAGES:
                    async with self._slow_place, self._places:
                        return await self._extract(owner, task, tries)
                async with self._places:
                    return await self._extract(owner, task, tries)
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                self._turns.pop(owner, None)

    async def close(self) -> None:
        """End all processes; twice is no error."""
        for process in list(self._all):
            await self._end(process)
        self._idle.clear()

    async def _extract(self, owner: str, task: Task, tries: int) -> Done:
        data = pack(task)
        for _ in range(max(1, tries)):
            try:
                answer = answer_of(await self._ask(data, task.seconds))
            except TimeoutError:
                self._note_slow(owner)
                raise GiveUpPage(
                    "extract_timeout", f"extracting the page took longer than {task.seconds:g} s"
                ) from None
            except _Died as died:
                log.warning("isolated.died", url=task.url, code=died.code)
                code = died.code
                continue
            if isinstance(answer, Done):
                return answer
            raise GiveUpPage(answer.reason, answer.detail)
        raise GiveUpPage(
            "poison", f"extracting the page ended the process that did it, each time ({_why(code)})"
        )

    def _note_slow(self, owner: str) -> None:
        if len(self._slow) > _REMEMBER:
            self._slow.clear()
        self._slow[owner] += 1

    async def _ask(self, data: bytes, seconds: float) -> bytes:
        """Send a task to a process and return its answer; raises `TimeoutError` or `_Died`."""
        process = self._idle.pop() if self._idle else await self._start()
        try:
            async with asyncio.timeout(seconds + _GRACE):
                answer = await _exchange(process, data)
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await process.wait()
            self._all.discard(process)
            if code == -signal.SIGALRM:
                raise TimeoutError from None
            raise _Died(code) from None
        except BaseException:
            await self._end(process)
            raise
        self._idle.append(process)
        return answer

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "scrapemaster.crawl.isolated_worker",
            str(self._memory),
            stdin=PIPE,
            stdout=PIPE,
        )
        self._all.add(process)
        return process

    async def _end(self, process: Process) -> None:
        self._all.discard(process)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _exchange(process: Process, data: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise ConnectionError
    process.stdin.write(LENGTH.pack(len(data)))
    process.stdin.write(data)
    await process.stdin.drain()
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if length > MAX_ANSWER:
        raise GiveUpPage("item_too_large", f"what the page yields has {length:,} bytes")
    return await process.stdout.readexactly(length)


def _why(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"code {code}"
