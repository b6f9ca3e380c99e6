"""Who waits for a job's changes in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from scrapemaster.domain.events import Event
from scrapemaster.domain.ids import JobId


class Watchers:
    """A `JobWatch` over events that are passed to `heard`; `publish` tells other processes by `tell`."""

    def __init__(self, tell: Callable[[Event], None] | None = None) -> None:
        self._tell = tell
        self._watchers: dict[JobId, set[asyncio.Event]] = {}

    async def changed(self, job_id: JobId, timeout: float) -> None:  # noqa: ASYNC109 -- the port's signature
        """See `ports.watch.JobWatch`."""
        event = asyncio.Event()
        self._watchers.setdefault(job_id, set()).add(event)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await event.wait()
        finally:
            watchers = self._watchers[job_id]
            watchers.discard(event)
            if not watchers:
                del self._watchers[job_id]

    def heard(self, event: Event) -> None:
        """Wake those who watch the event's job."""
        for watcher in self._watchers.get(event.job_id, ()):
            watcher.set()

    def publish(self, event: Event) -> None:
        """See `ports.watch.JobWatch`."""
        self.heard(event)
        if self._tell is not None:
            self._tell(event)
