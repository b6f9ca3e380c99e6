"""A spider's process as the crawler sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scrapemaster.fetch.browser import warden
from scrapemaster.spiders.messages import (
    LENGTH,
    MOST_BYTES,
    Confines,
    Ended,
    Message,
    Spiders,
    Task,
    message_of,
    packed,
)

_CHILD = Path(__file__).with_name("child.py")
#: Seconds that the warden may need to end all that is below it.
_END_SECONDS = 12.0
#: Lines of standard error that are kept, to say why a process died.
_LAST_LINES = 20
_LINE_BYTES = 64 * 1024


@dataclass(slots=True, frozen=True)
class Limits:
    """What a spider's process may take: bytes of memory, seconds of processor time, bytes of each file it writes.

    `sandbox` as `SCRAPEMASTER_SPIDER_SANDBOX` has it: `auto`, `on` or `off`.
    """

    memory: int = 1024**3
    cpu: int = 36_000
    file: int = 1024**3
    sandbox: str = "auto"

    def confines(self, folder: str, port: int) -> Confines:
        """The same for one process, with its own folder and its gate's port."""
        return Confines(
            memory=self.memory,
            cpu=self.cpu,
            file=self.file,
            port=port,
            folder=folder,
            reads=(),
            sandbox=self.sandbox != "off",
            strict=self.sandbox == "on",
        )


class SpiderProcess:
    """A process with a folder of its own, under a warden that ends all it started when it ends, or we do."""

    def __init__(self, process: Process, folder: str) -> None:
        self._process = process
        self._folder = folder
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._errors = asyncio.create_task(self._read_errors())

    @classmethod
    async def start(cls, limits: Limits, port: int, task: Mapping[str, object]) -> SpiderProcess:
        """Start one. `task` are the fields of a `Task` but its confines."""
        folder = tempfile.mkdtemp(prefix="scrapemaster-spider-")
        # The warden passes on none of our settings, secrets among them.
        environment = {
            **os.environ,
            "WARDEN_PARENT": str(os.getpid()),
            "WARDEN_FOLDER": folder,
            "WARDEN_NODE": sys.executable,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(Path(warden.__file__)), str(_CHILD),
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, limit=_LINE_BYTES,
        )  # fmt: skip
        started = cls(process, folder)
        order = msgspec.convert({**task, "confines": limits.confines(folder, port)}, Task)
        await started._write(packed(order))
        return started

    @property
    def pid(self) -> int:
        """The warden's process id."""
        return self._process.pid

    async def messages(self) -> AsyncIterator[Message]:
        """What it tells, until it has ended. What it says in no way that is understood ends it."""
        stdout = self._process.stdout
        if stdout is None:
            return
        while True:
            try:
                (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
                if length > MOST_BYTES:
                    return
                message = message_of(await stdout.readexactly(length))
            except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
                return
            yield message

    async def order(self, order: bytes) -> None:
        """Send an order: `STOP`, `HOLD` or `GO_ON`. One that has ended hears nothing."""
        await self._write(order)

    async def end(self) -> int:
        """End it now with all it started, if it has not ended by itself; its exit code, 128 and the number for a signal."""
        process = self._process
        if process.returncode is None and not await self._ended(0.0):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            if not await self._ended(_END_SECONDS):
                process.kill()
        code = await process.wait()
        self._errors.cancel()
        await asyncio.gather(self._errors, return_exceptions=True)
        # The warden has done it, unless it was killed itself.
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        return code

    async def ended(self, seconds: float) -> int | None:
        """Its exit code once it has ended by itself; None if that takes longer."""
        return self._process.returncode if await self._ended(seconds) else None

    @property
    def last_words(self) -> str:
        """The last line that it wrote to standard error, if any."""
        return self._last[-1] if self._last else ""

    async def _ended(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            return self._process.returncode is not None
        return True

    async def _write(self, data: bytes) -> None:
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing():
            return
        with contextlib.suppress(ConnectionError):
            stdin.write(data)
            await stdin.drain()

    async def _read_errors(self) -> None:
        stderr = self._process.stderr
        while stderr is not None:
            try:
                line = await stderr.readline()
            except ValueError:  # a line without an end; what came of it is gone
                continue
            if not line:
                return
            if text := line.decode("utf-8", "replace").strip():
                self._last.append(text[:500])


async def spiders_of(
    limits: Limits, path: Path, settings: str, seconds: float
) -> tuple[list[str], str | None]:
    """The names of a project's spiders, and why they could not be had, if so."""
    process = await SpiderProcess.start(limits, 0, {"path": str(path), "settings_module": settings})
    names: list[str] = []
    error: str | None = "its process died"
    try:
        async with asyncio.timeout(seconds):
            async for message in process.messages():
                if isinstance(message, Spiders):
                    names = list(message.names)
                elif isinstance(message, Ended):
                    error = message.error
                    break
    except TimeoutError:
        error = f"they were not listed within {seconds:g} s"
    finally:
        code = await process.end()
    if error == "its process died":
        error = f"{error} with code {code}: {process.last_words}"
    return names, error
