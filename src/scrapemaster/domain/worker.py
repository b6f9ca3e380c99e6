"""What a worker says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class WorkerReport:
    """A process that crawls, as it was when it last gave a sign of life.

    `id` is new with each start. `slices` are under way now; `pages_per_second` is the rate since the report before. Times are
    epoch seconds, by the clock of the worker's host.
    """

    id: str
    host: str
    pid: int
    version: str
    started_at: float
    seen_at: float
    slices: int
    pages_per_second: float
