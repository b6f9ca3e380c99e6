"""The port to the logs of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.joblog import LogLine, NewLine


class JobLog(Protocol):
    """What happened to each job, in lines numbered 1, 2, 3 … in order of commit.

    Lines are written by others, in the same transaction as what they tell of (`domain.joblog` has the words):
    `created` when a job is stored; `started`, `paused`, `resumed` and `ended` by `JobStore.transition`; `warning` by
    `JobStore.warn`, one for each new warning; `pages_postponed`, `pages_failed` and `pages_skipped` by `Frontier.commit`, where
    `line_of_trouble` says so; `retried` by `Frontier.retry_failed`. Only what a spider of others says
    is written by itself. The last `LOG_LINES` lines of a job are kept; a number
    is never given twice. A job that is over gets no more lines. They go with the job.
    """

    async def page(self, job: JobId, *, after: int = 0, limit: int = 100) -> list[LogLine]:
        """Up to `limit` lines with `seq` greater than `after`, in order; none for an unknown job."""

    async def write(self, job: JobId, lines: Sequence[NewLine], *, now: float) -> None:
        """Append lines, durably when it returns; none to a job that is over or gone."""

    async def last(self, job: JobId) -> int:
        """The `seq` of the job's last line; 0 when there is none."""
