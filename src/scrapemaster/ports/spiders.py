"""The port to what runs jobs of spiders."""

from __future__ import annotations

import asyncio
from typing import Protocol

from scrapemaster.domain.job import Job


class SpiderRuns(Protocol):
    """Runs spiders in the place of slices. A run lasts as long as its spider does."""

    @property
    def running(self) -> int:
        """How many spiders run here now."""
        ...

    async def run(self, job: Job, poked: asyncio.Event) -> float | None:
        """Run a job's spider to its end, and end the job; the seconds after which it is to be called again, or None.

        `job` is pending or running. `poked` is set when the job's state is to be looked at; it is cleared here. Raises
        `StoreUnavailable`.
        """

    def stop(self) -> None:
        """End all runs at once, and start no more: another worker takes them up."""

    async def close(self) -> None:
        """Wait until all runs have ended; twice is no error."""
