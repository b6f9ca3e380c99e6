"""The port to a job's known requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import Counters
from scrapemaster.domain.outcome import FailedPage, Outcome
from scrapemaster.domain.request import Leased, NewRequest


class Frontier(Protocol):
    """The requests a job knows, and who may work on them.

    A request is identified by its fingerprint within its job; adding one twice is no error and
    changes nothing. Leases expire: after `seconds` without `renew` a request is offered again, and
    `commit` by the former holder is then refused as a whole with `LeaseLost`. A holder is any
    string unique to one run of one slice. Times are epoch seconds.
    """

    async def add(self, job: JobId, requests: Sequence[NewRequest]) -> int:
        """Add what is not known yet, in the given order; returns how many were new.

        Raises `NotFound` when there is no such job, and adds nothing to one that is over.
        """

    async def lease(self, job: JobId, holder: str, limit: int, seconds: float, *, now: float) -> list[Leased]:
        """Take up to `limit` requests that are due, highest priority first, then oldest.

        Never so many that the job's `max_pages` could be passed, whoever else holds leases: at most
        `budget_left` requests that never asked the server. One that did (a RETRY with `fetched`) is
        counted already and is leased whatever the budget.
        Leases that ended before `now` are offered again first, with `interruptions` one higher.
        All that a holder has ends at one time, so that taking more renews what it had.
        An empty list means that nothing is due *now*, or that the job is not `running`; `counters` and `next_due` say
        whether the job is over.
        """

    async def renew(self, job: JobId, holder: str, seconds: float, *, now: float) -> None:
        """Let all of `holder`'s leases end `seconds` after `now`; those already lost stay lost."""

    async def commit(
        self,
        job: JobId,
        holder: str,
        outcomes: Sequence[Outcome],
        *,
        rate: float | None = None,
        progress: float | None = None,
    ) -> Counters:
        """Write outcomes: rows, discovered requests, marks and counters, all or nothing.

        Raises `LeaseLost`, having written nothing, when any request of `outcomes` is not leased
        by `holder`, or when the job is gone or over. Rows get the next `seq` numbers in order of
        `outcomes`. Of a job with `config.incremental`, a page that yields the very rows that it yielded in the run
        the job is compared with (see `JobStore.add`) brings no rows, and counts as `unchanged`. A RETRY puts the request back, due at its `retry_at`, with `attempts` one higher. `Outcome.alias`
        is handled as its docstring says. The job's `progress` and `rate` are brought up to date; `progress` (percent) is
        what is known of it beside the counters, if anything is. Returns the
        job's counters after the commit, which are durable when this returns.
        """

    async def release(
        self, job: JobId, holder: str, keys: Sequence[int] | None = None, *, due_at: float = 0.0
    ) -> None:
        """Give back leases unworked (all of the holder's if `keys` is None), due at `due_at`.

        Not an attempt. Leases that are no longer the holder's are left alone.
        """

    async def release_all(self, *, worker: str | None = None, blamed: tuple[JobId, int] | None = None) -> int:
        """Give back every lease of every job as interrupted; returns how many.

        `worker`: only those of holders whose names begin with `worker/`, of which it is certain that they are gone. None: everybody's,
        for an embedded start, when it is certain that no other worker runs.

        `blamed`: the job and the key of the request at which the worker is known to have died; then only that one counts
        as interrupted.
        """

    async def retry_failed(self, job: JobId, *, now: float) -> int:
        """Put the failed pages (not the skipped ones) back, due at once; returns how many.

        They are as if never tried, with no attempts and no interruptions, but for `max_pages`: those that asked
        the server are counted already and are leased whatever the budget. Does nothing to a job that is over; raises
        `NotFound` when there is no such job.
        """

    async def counters(self, job: JobId) -> Counters:
        """The job's counters; all zero for an unknown job."""

    async def recount(self, job: JobId) -> Counters:
        """Count everything anew from the marks themselves, store that, and return it."""

    async def next_due(self, job: JobId) -> float | None:
        """When `lease` may have something: 0.0 for now, else the first due time or end of a lease.

        None when the job is over: nothing leased, and nothing queued that its budget allows.
        """

    async def reasons(self, job: JobId) -> Mapping[str, int]:
        """How many failed and skipped pages there are for each reason code."""

    async def failures(self, job: JobId, *, skip: int = 0, limit: int = 100) -> tuple[list[FailedPage], int]:
        """Failed and skipped pages, oldest first, and how many there are in all."""
