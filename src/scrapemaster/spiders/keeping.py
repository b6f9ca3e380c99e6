"""How what a spider's process tells of comes into the store: each page whole, and once, however often the spider is run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from scrapemaster.crawl.rate import RateMeter
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.joblog import LogEvent, LogLevel, NewLine
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import Leased, NewRequest
from scrapemaster.ports.store import Store
from scrapemaster.spiders.messages import Line, Page

#: Seconds a lease lasts without being renewed.
LEASE_SECONDS = 30.0
#: Lines of one write to the job's log; of more, only how many they were is told.
_MOST_LINES = 50
#: Pages leased in one call.
_AT_ONCE = 500


class Keeping:
    """Commits the pages of one run of a spider, as `holder`.

    A page becomes a request of the job's frontier when it is done with, is leased, and committed with its rows. One that an earlier run
    committed is known, so that it cannot be leased, and is left out: then its rows are there. Whatever raises `LeaseLost` says
    that the run is no longer ours.
    """

    def __init__(self, store: Store, job: JobId, holder: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._job = job
        self._holder = holder
        self._clock = clock
        self._held: dict[bytes, Leased] = {}
        self.meter = RateMeter()

    async def renew(self) -> None:
        """Keep what is leased, the run itself above all."""
        await self._store.frontier.renew(self._job, self._holder, LEASE_SECONDS, now=self._clock())

    async def pages(self, pages: Sequence[Page], progress: float | None) -> list[Page]:
        """Commit pages; those that cannot be committed now, because the job is paused, are returned."""
        left = {page.ident: page for page in pages}
        frontier = self._store.frontier
        await frontier.add(self._job, [NewRequest(page.ident, page.url) for page in left.values()])
        while left:
            if not self._held.keys() & left.keys():
                limit = max(_AT_ONCE, len(left))
                leased = await frontier.lease(
                    self._job, self._holder, limit, LEASE_SECONDS, now=self._clock()
                )
                # Among them may be pages that an earlier run had done with and could not commit: they wait until they come again.
                self._held |= {one.fingerprint: one for one in leased}
                if not leased:
                    # Nothing is leased of a job that is paused. Where nothing is queued, all that is left was committed before.
                    queued = (await frontier.counters(self._job)).queued
                    return list(left.values()) if queued else []
                continue
            chosen = self._held.keys() & left.keys()
            outcomes = [
                outcome_of(self._held.pop(ident), left.pop(ident)) for ident in list(left) if ident in chosen
            ]
            now = time.monotonic()
            self.meter.add(len(outcomes), now)
            await frontier.commit(
                self._job, self._holder, outcomes, rate=self.meter.rate(now), progress=progress
            )
        return []

    async def lines(self, lines: Sequence[Line]) -> None:
        """Write lines into the job's log."""
        if not lines:
            return
        written = [NewLine(LogEvent.SPIDER, line.text, _level_of(line.level)) for line in lines[:_MOST_LINES]]
        if len(lines) > _MOST_LINES:
            written.append(
                NewLine(LogEvent.SPIDER, f"{len(lines) - _MOST_LINES} more lines, too many to be kept")
            )
        await self._store.log.write(self._job, written, now=self._clock())


def outcome_of(leased: Leased, page: Page) -> Outcome:
    """What is committed of a page."""
    verdict = Verdict.HANDLED if page.reason is None else Verdict.SKIPPED if page.skipped else Verdict.FAILED
    return Outcome(
        request=leased,
        verdict=verdict,
        url=page.url,
        fetched=page.asked,
        items=page.items if verdict is Verdict.HANDLED else (),
        status=page.status,
        reason=page.reason,
        detail=page.detail,
        items_failed=page.items_failed,
        body_bytes=page.size,
        fetched_at=page.at,
        elapsed=page.elapsed,
    )


def _level_of(level: int) -> LogLevel:
    if level >= logging.ERROR:
        return LogLevel.ERROR
    return LogLevel.WARNING if level >= logging.WARNING else LogLevel.INFO
