"""The youngest fingerprints of the jobs at work, in the writer's memory."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field

#: Fingerprints of a job that may lie in memory alone (they are in its requests, too) before they go to the index, in its order. Inserts into an
#: index of 1 M rewrite a page of it each; with so many in order, most share a page (figures in docs/performance.md). About 7 MB.
MOST_OF_A_JOB = 65_536
#: Fingerprints kept over all jobs: about 40 MB.
MOST_OF_ALL = 400_000


@dataclass(slots=True)
class RecentMarks:
    """The fingerprints of one job's requests with the numbers `indexed` < n ≤ `until`."""

    indexed: int
    until: int
    marks: set[bytes] = field(default_factory=set)


class RecentJobs:
    """Whose recent fingerprints are at hand; what is forgotten is read again."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[int, RecentMarks] = OrderedDict()

    def of(self, job: int, indexed: int, discovered: int) -> RecentMarks:
        """Those of the job that hold for these figures of the database, to be filled up to `discovered`."""
        recent = self._jobs.get(job)
        if recent is None or recent.indexed != indexed or recent.until > discovered:
            recent = self._jobs[job] = RecentMarks(indexed, indexed)
        self._jobs.move_to_end(job)
        while len(self._jobs) > 1 and self._count() > MOST_OF_ALL:
            self._jobs.popitem(last=False)
        return recent

    def share(self) -> int:
        """How many fingerprints a job may keep, beside the others that are at work."""
        return min(MOST_OF_A_JOB, MOST_OF_ALL // max(1, len(self._jobs)))

    def forget(self, job: int | None = None) -> None:
        """Drop a job's fingerprints, or all of them: a transaction was rolled back."""
        if job is None:
            self._jobs.clear()
        else:
            self._jobs.pop(job, None)

    def _count(self) -> int:
        return sum(len(recent.marks) for recent in self._jobs.values())


class Writer(sqlite3.Connection):
    """The connection that writes, with what it remembers of what it wrote."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # as sqlite3.connect passes them
        self.recent = RecentJobs()
