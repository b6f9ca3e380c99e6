"""Where a slice stands among its job's slices."""

from __future__ import annotations

from dataclasses import dataclass

from scrapemaster.crawl.slice import Slice
from scrapemaster.domain.job import Job
from scrapemaster.ports.spread import Spread


@dataclass(slots=True, frozen=True)
class Seat:
    """A slice's place among its job's slices; without `spread` it is the only one. `order` is the traceparent of what ordered the job."""

    number: int
    spread: Spread | None
    order: str | None = None

    def width(self, job: Job) -> int:
        """Fetches it may have under way now; 0 when it is one too many."""
        concurrency = job.config.concurrency
        return concurrency if self.spread is None else self.spread.width(self.number, concurrency)

    def adjust(self, job: Job, part: Slice) -> bool:
        """Follow the fleet as workers come and go; the leading slice summons others while more waits than it will take.

        False where it should do so but nothing waits yet.
        """
        if self.spread is None:
            return True
        width = self.width(job)
        if width == 0:
            part.stop()
            return True
        part.resize(width)
        if self.number == 0 and part.counters.queued:
            self.spread.summon(job, self.order)
        return self.number > 0 or part.counters.queued > 0
