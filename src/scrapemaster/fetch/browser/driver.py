"""Playwright's driver process, under the warden's eyes."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from scrapemaster.domain.errors import MissingExtra, RetryPage

if TYPE_CHECKING:
    from playwright.async_api import Playwright

log = structlog.get_logger(__name__)

_HERE = Path(__file__).parent
#: Seconds the driver has to start, and to end.
_START_SECONDS = 30.0
_STOP_SECONDS = 3.0


def check_installed() -> None:
    """Raise `MissingExtra` when Playwright is not installed. It is not loaded for that, which takes a second."""
    if importlib.util.find_spec("playwright") is None:
        raise MissingExtra("the browser engine", "browser")


class Driver:
    """The driver, its warden and its folder; all that it starts is gone once `stop` returned.

    `playwright` is there between `start` and `stop`.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self._playwright: Playwright | None = None
        self._warden = 0

    @property
    def playwright(self) -> Playwright:
        """Playwright's interface; raises `RetryPage` when the driver does not run."""
        if self._playwright is None:
            raise RetryPage("browser_crashed", "the browser's driver is not running")
        return self._playwright

    @property
    def alive(self) -> bool:
        """Whether the warden, and with it the driver, is running."""
        return self._playwright is not None and _exists(self._warden)

    async def start(self) -> None:
        """Start it; raises `RetryPage` when it does not come up."""
        # Beside the event loop: pages of other engines are under way.
        await asyncio.to_thread(importlib.import_module, "playwright.async_api")
        from playwright.async_api import Error, async_playwright  # noqa: PLC0415 -- an extra, and heavy

        self.folder = Path(tempfile.mkdtemp(prefix="scrapemaster-browser-"))
        try:
            with _environment(self.folder):
                async with asyncio.timeout(_START_SECONDS):
                    self._playwright = await async_playwright().start()
            self._warden = int((self.folder / "warden.pid").read_text(encoding="ascii"))
        except (Error, OSError, ValueError, TimeoutError) as error:
            log.warning("browser.driver_failed", error=str(error)[:500])
            await self.stop()
            raise RetryPage("browser_crashed", "the browser's driver did not start") from None

    async def stop(self) -> None:
        """End the driver, all browsers and whatever they started; twice is no error."""
        playwright, self._playwright = self._playwright, None
        warden, self._warden = self._warden, 0
        if warden:
            with contextlib.suppress(ProcessLookupError):
                os.kill(warden, signal.SIGTERM)
        if playwright is not None:
            with contextlib.suppress(Exception):  # what a dead driver answers is nobody's concern
                async with asyncio.timeout(_STOP_SECONDS):
                    await playwright.stop()
        for _ in range(int(_STOP_SECONDS / 0.01)):
            if not _exists(warden):
                break
            await asyncio.sleep(0.01)
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)


def _exists(pid: int) -> bool:
    """Whether there is such a process; 0 is none."""
    return pid != 0 and Path(f"/proc/{pid}").exists()


@contextlib.contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """What Playwright reads of our environment to start the warden in its driver's place."""
    import playwright  # noqa: PLC0415 -- an extra, and heavy

    bundled = Path(playwright.__file__).parent / "driver" / "node"
    node = os.environ.get("PLAYWRIGHT_NODEJS_PATH") or (str(bundled) if bundled.exists() else "node")
    wanted = {
        "PLAYWRIGHT_NODEJS_PATH": str(_HERE / "driver.sh"),
        "WARDEN_PYTHON": sys.executable,
        "WARDEN_NODE": shutil.which(node) or node,
        "WARDEN_FOLDER": str(folder),
        "WARDEN_PARENT": str(os.getpid()),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
