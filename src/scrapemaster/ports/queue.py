"""The port to the task engine."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Priority


class Queue(Protocol):
    """Tells workers that a job wants attention. Disposable: what is lost here, the sweep finds in the store."""

    async def wake(self, job_id: JobId, priority: Priority) -> None:
        """Have a slice of the job run soon, or let a running one look at the job's state.

        Any number of calls has the effect of one. Never raises because no worker is there.
        """
