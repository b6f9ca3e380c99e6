"""Orders that are placed again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scrapemaster.domain.cron import next_run
from scrapemaster.domain.ids import JobId, ScheduleId, UserId

#: A last run that is further ahead of the clock than this (seconds) was made by a clock that went wrong.
_WRONG_CLOCK = 86_400.0


class Overlap(StrEnum):
    """What to do when a run is due and the job of the last one is not over."""

    SKIP = "skip"
    ALLOW = "allow"


class Claim(StrEnum):
    """What became of an attempt to run a schedule."""

    TAKEN = "taken"
    SKIPPED = "skipped"
    LOST = "lost"


@dataclass(slots=True, frozen=True)
class Schedule:
    """A standing order. Times are epoch seconds.

    `order` is what is ordered, as `services.schedules` reads it; `order_asked` as the user wrote it. `next_run_at` is None when it is
    not enabled. `last_error` says why the last run made no job. `version` counts the changes.
    """

    id: ScheduleId
    owner: UserId
    cron: str
    timezone: str
    order: Mapping[str, Any]
    created_at: float
    order_asked: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    overlap: Overlap = Overlap.SKIP
    name: str | None = None
    next_run_at: float | None = None
    last_run_at: float | None = None
    last_job_id: JobId | None = None
    last_error: str | None = None
    version: int = 0

    def due_after(self, now: float) -> float | None:
        """When it is due next, seen from `now`; None when it is not enabled.

        Never at a time that was run already, though the clock may have been set back since. Raises `InvalidInput`.
        """
        if not self.enabled:
            return None
        last = self.last_run_at or 0.0
        return next_run(self.cron, self.timezone, last if now < last < now + _WRONG_CLOCK else now)
