"""The port to waiting for a job's changes."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.events import Event
from scrapemaster.domain.ids import JobId


class JobWatch(Protocol):
    """Wakes those who watch a job. Disposable: who hears nothing looks into the store again."""

    async def changed(self, job_id: JobId, timeout: float) -> None:  # noqa: ASYNC109 -- how long to watch is the call's meaning
        """Return when something happened to the job, or after `timeout` seconds."""

    def publish(self, event: Event) -> None:
        """Tell those who watch the job."""
