"""The port by which one job's slices learn of each other."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.job import Job


class Spread(Protocol):
    """How a job is spread over the workers of a fleet.

    A job's slices are numbered from 0. Slice 0 leads: it runs as long as the job does, and summons the others while there is
    work for them; they end when they find none. Each decides for itself, from the job's `concurrency` and the workers it
    knows of, how many fetches it may have under way, so that together they keep to it.
    """

    def width(self, number: int, concurrency: int) -> int:
        """Fetches that slice `number` may have under way now; 0 when it is one too many."""

    def summon(self, job: Job, order: str | None = None) -> None:
        """Have the job's other slices run soon, without waiting and without raising. Those that do are left alone.

        `order` is the traceparent of what ordered the job.
        """
