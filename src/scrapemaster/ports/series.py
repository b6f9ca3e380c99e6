"""The port to the courses of jobs."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.series import Point


class SeriesStore(Protocol):
    """What each job did when, in points.

    Points are written by `Frontier.commit` alone, in its transaction: the commit's own (`series.point_of`, at the
    age that its latest `fetched_at` gives since `started_at`) is added to the job's point with the same `at` and `seconds`, whose `slowest_ms` becomes the
    greater one. They go with the job.
    """

    async def points(self, job: JobId) -> list[Point]:
        """All points of the job, in order of `at`; none for an unknown job."""
