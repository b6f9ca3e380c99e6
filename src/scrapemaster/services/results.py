"""Results: pages of rows, and all of them in a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from scrapemaster.domain.errors import NotFound
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.item import Result
from scrapemaster.domain.job import Job
from scrapemaster.export.rows import Rows
from scrapemaster.ports.store import Store


@dataclass(slots=True, frozen=True)
class ResultPage:
    """Rows of a job. `next_after` is where the next page begins; None at the end as it is now. `engine` is the job's, if all pages come from one."""

    rows: list[Result]
    total: int
    next_after: int | None
    engine: str | None = None


class ResultService:
    """Use cases of results. `sees` is whose jobs the caller may see; None for everybody's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, job_id: JobId, sees: UserId | None, *, after: int, limit: int) -> ResultPage:
        """Up to `limit` rows behind the first `after`; raises `NotFound`."""
        job = await self.job(job_id, sees)
        rows = await self._store.results.page(job_id, after=after, limit=limit)
        last = rows[-1].seq if rows else after
        # The job's figure may be a moment older than the rows; asking for it again would cost as much as the rows do.
        total = max(job.counters.items, last if rows else 0)
        return ResultPage(rows, total, last if rows and last < total else None, job.fetched_by)

    async def search(
        self, job_id: JobId, sees: UserId | None, text: str, *, after: int, limit: int
    ) -> ResultPage:
        """Up to `limit` rows behind the first `after` that have a text in them, of those looked at; raises `NotFound`."""
        job = await self.job(job_id, sees)
        rows, next_after = await self._store.results.search(job_id, text, after=after, limit=limit)
        return ResultPage(rows, job.counters.items, next_after, job.fetched_by)

    async def job(self, job_id: JobId, sees: UserId | None) -> Job:
        """The job whose rows they are; raises `NotFound`."""
        job = await self._store.jobs.get(job_id, sees)
        if job is None:
            raise NotFound("Job not found")
        return job

    async def snapshot(self, job_id: JobId) -> Rows:
        """The rows there are now, as often as wanted: rows that come later are not among them.

        Reading them raises `NotFound` when the job is removed in the meantime, so that nobody takes a part for the whole.
        """
        until = await self._store.results.total(job_id)

        async def rows() -> AsyncIterator[list[Result]]:
            last = 0
            async for batch in self._store.results.stream(job_id, until=until):
                yield batch
                last = batch[-1].seq
            if last < until:
                raise NotFound("Job not found")

        return rows
