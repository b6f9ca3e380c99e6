"""What is new, changed and gone between two runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from scrapemaster.domain.changes import WHOLE, Change, Differences, differences_of, identity_of
from scrapemaster.domain.errors import Conflict, InvalidInput, NotFound
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import TERMINAL, Job, JobStatus
from scrapemaster.ports.jobs import JobQuery
from scrapemaster.ports.store import Store

#: Rows of one run that are compared at most: both runs are held in memory.
MOST_ROWS = 100_000
#: Runs of a schedule among which the one before is looked for.
_RUNS = 100


@dataclass(slots=True, frozen=True)
class Comparison:
    """Two runs compared by the values of `by`; `shown` are those of `differences` that were asked for.

    `against` is None when there is no run before: then nothing differs from anything.
    """

    job: JobId
    against: JobId | None
    by: str
    differences: Differences
    shown: Sequence[Change]


class ChangesService:
    """Compares the rows of two jobs. `sees` is whose jobs the caller may see; None for everybody's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def compare(
        self,
        job_id: JobId,
        sees: UserId | None,
        against: JobId | None,
        by: str | None,
        *,
        kind: str | None,
        skip: int,
        limit: int,
    ) -> Comparison:
        """What changed since the run `against` (None: the one before of its schedule, or of its name).

        Rows are the same thing when their field `by` has the same value (None: a field that tells them apart is chosen). Raises `NotFound`, `Conflict`
        when there are too many rows, `InvalidInput` when `by` does not tell rows apart.
        """
        job = await self._job(job_id, sees)
        before = await self._before(job) if against is None else await self._job(against, sees)
        if before is None:
            return Comparison(job.id, None, by or WHOLE, Differences((), 0), ())
        for one in (job, before):
            if one.counters.items > MOST_ROWS:
                raise Conflict(f"job {one.id} has more than {MOST_ROWS:,} rows; export both and compare them")
        old, new = await self._rows(before.id), await self._rows(job.id)
        chosen, found = await asyncio.to_thread(_compared, old, new, by)
        shown = [one for one in found.changes if kind is None or one.kind == kind]
        return Comparison(job.id, before.id, chosen, found, shown[skip : skip + limit])

    async def _job(self, job_id: JobId, sees: UserId | None) -> Job:
        job = await self._store.jobs.get(job_id, sees)
        if job is None:
            raise NotFound("Job not found")
        return job

    async def _before(self, job: Job) -> Job | None:
        if job.schedule_id is None:
            return await self._store.jobs.previous(job)
        query = JobQuery(owner=job.owner, schedule=job.schedule_id, status=JobStatus.COMPLETED, limit=_RUNS)
        runs, _ = await self._store.jobs.find(query)
        return next((one for one in runs if one.status in TERMINAL and one.created_at < job.created_at), None)

    async def _rows(self, job_id: JobId) -> list[tuple[str, bytes]]:
        rows: list[tuple[str, bytes]] = []
        async for batch in self._store.results.stream(job_id):
            rows += [(row.url, row.data) for row in batch]
        return rows


def _compared(
    old: Sequence[tuple[str, bytes]], new: Sequence[tuple[str, bytes]], by: str | None
) -> tuple[str, Differences]:
    """What the rows are compared by, and what differs."""
    before, after = _decoded(old), _decoded(new)
    chosen = by or identity_of(after or before)
    try:
        return chosen, differences_of(before, after, chosen)
    except KeyError as error:
        raise InvalidInput(f"no row has a field {error.args[0]!r} to compare by", ("by",)) from None


def _decoded(rows: Sequence[tuple[str, bytes]]) -> list[Mapping[str, Any]]:
    return [{"url": url, **orjson.loads(data)} for url, data in rows]
