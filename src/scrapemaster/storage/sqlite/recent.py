"""The youngest fingerprints of the jobs at work, in the writer's memory."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field

from scrapemaster.storage.sqlite.marks import MarkTable

#: Fingerprints of a job that may lie in memory alone (they are in its requests, too) before they go to the index, in its order. Inserts into an
#: index of 1 M rewrite a page of it each; with so many in order, most share a page (figures in docs/performance.md). They fill a table of 32 MB.
MOST_OF_A_JOB = 1_310_720
#: Places of the tables of all jobs: 64 MB.
MOST_OF_ALL = 4 << 20
#: Places of a full table that go to the index for each new fingerprint. It has 8/5 places for each, so that all have gone before the next is full.
_PLACES_FOR_EACH = 2
#: Places that go at least.
_PORTION = 512


@dataclass(slots=True)
class RecentMarks:
    """The fingerprints of one job's requests with the numbers `indexed` < n ≤ `until`.

    When `young` is full it becomes `going`, which holds those up to `going_until` and of which the first `gone` places are in the index.
    """

    indexed: int
    until: int
    young: MarkTable = field(default_factory=MarkTable)
    going: MarkTable | None = None
    going_until: int = 0
    gone: int = 0

    def missing(self, marks: list[bytes]) -> list[bytes]:
        """Those of the fingerprints that are in no table, in their order."""
        missing = self.young.missing(marks)
        return self.going.missing(missing) if self.going is not None else missing

    def go(self) -> None:
        """Let the young ones go to the index; those that went before must be there."""
        self.going, self.going_until, self.gone = self.young, self.until, 0
        self.young = MarkTable()

    def portion(self, come: int) -> list[bytes]:
        """The next of those that go when so many new ones have come; they count as gone. Empty when none is left: then all are in the index."""
        if self.going is None:
            return []
        size = max(_PORTION, come * _PLACES_FOR_EACH)
        while self.gone < self.going.places:
            start, self.gone = self.gone, self.gone + size
            if marks := self.going.run(start, self.gone):
                return marks
        self.going, self.indexed = None, self.going_until
        return []

    @property
    def places(self) -> int:
        """The size of its tables."""
        return self.young.places + (self.going.places if self.going is not None else 0)


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
        while len(self._jobs) > 1 and self._places() > MOST_OF_ALL:
            self._jobs.popitem(last=False)
        return recent

    def share(self) -> int:
        """How many fingerprints a job may keep young, beside the others that are at work."""
        return min(MOST_OF_A_JOB, MOST_OF_ALL * 5 // 16 // max(1, len(self._jobs)))

    def forget(self, job: int | None = None) -> None:
        """Drop a job's fingerprints, or all of them: a transaction was rolled back."""
        if job is None:
            self._jobs.clear()
        else:
            self._jobs.pop(job, None)

    def _places(self) -> int:
        return sum(recent.places for recent in self._jobs.values())


class Writer(sqlite3.Connection):
    """The connection that writes, with what it remembers of what it wrote."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # as sqlite3.connect passes them
        self.recent = RecentJobs()
