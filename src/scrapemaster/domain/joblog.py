"""What a job's log says: lines for a person who follows a crawl, few and never one a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scrapemaster.domain.choices import Choices
from scrapemaster.domain.escalation import MEANING, Reason
from scrapemaster.domain.job import TERMINAL, Job, JobStatus
from scrapemaster.domain.outcome import Outcome, Verdict

#: Lines kept for each job; when there are more, the oldest go.
LOG_LINES = 1_000
#: Longest message, in characters.
_LONGEST = 1_000


class LogLevel(StrEnum):
    """How much a line matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogEvent(StrEnum):
    """What a line tells of, for programs."""

    CREATED = "created"
    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    PAGES_POSTPONED = "pages_postponed"
    PAGES_FAILED = "pages_failed"
    PAGES_SKIPPED = "pages_skipped"
    RETRIED = "retried"
    WARNING = "warning"
    SPIDER = "spider"
    ENGINE_CHOSEN = "engine_chosen"
    ENDED = "ended"


@dataclass(slots=True, frozen=True)
class NewLine:
    """A line to be written."""

    event: LogEvent
    message: str
    level: LogLevel = LogLevel.INFO

    @property
    def short_message(self) -> str:
        """The message, cut to the length a log keeps."""
        return self.message[:_LONGEST]


@dataclass(slots=True, frozen=True)
class LogLine:
    """A line as stored. `seq` is its place in the job's log: 1, 2, 3 …; `at` is epoch seconds."""

    seq: int
    at: float
    level: LogLevel
    event: LogEvent
    message: str


@dataclass(slots=True, frozen=True)
class Trouble:
    """Pages of one commit that came to the same bad end; `detail` is the last one's, at `url`."""

    verdict: Verdict
    reason: str
    pages: int
    url: str
    detail: str


_PAGES = {
    Verdict.RETRY: (LogEvent.PAGES_POSTPONED, LogLevel.WARNING, "to be tried again"),
    Verdict.FAILED: (LogEvent.PAGES_FAILED, LogLevel.ERROR, "failed"),
    Verdict.SKIPPED: (LogEvent.PAGES_SKIPPED, LogLevel.INFO, "skipped"),
}


def line_of_creation(job: Job) -> NewLine:
    """The first line of a job."""
    if job.retry_of is not None:
        return NewLine(LogEvent.CREATED, f"created to fetch the failed pages of job {job.retry_of} again")
    if job.schedule_id is not None:
        return NewLine(LogEvent.CREATED, f"created by schedule {job.schedule_id}")
    return NewLine(LogEvent.CREATED, "created")


def line_of_transition(source: JobStatus, target: JobStatus, changes: Mapping[str, Any]) -> NewLine:
    """The line of a move from `source` to `target`; `changes` are those of `JobStore.transition`."""
    if target in TERMINAL:
        reason, error = changes.get("stop_reason"), changes.get("error")
        message = str(target) + (f" ({reason})" if reason else "") + (f": {error}" if error else "")
        level = LogLevel.ERROR if target is JobStatus.FAILED else LogLevel.INFO
        return NewLine(LogEvent.ENDED, message, level)
    if target is JobStatus.PAUSED:
        error = changes.get("error")
        level = LogLevel.ERROR if error else LogLevel.INFO
        return NewLine(LogEvent.PAUSED, f"paused: {error}" if error else "paused", level)
    if source is JobStatus.PAUSED:
        return NewLine(LogEvent.RESUMED, "resumed")
    engine = changes.get("engine_used")
    return NewLine(LogEvent.STARTED, f"started with the {engine} engine" if engine else "started")


def line_of_trouble(trouble: Trouble, before: int) -> NewLine | None:
    """The line for pages that came to a bad end when `before` had come to the same; None most of the time.

    One is written when the number passes 1, 2, 5, 10, 20, 50 …, so that ten million failures make 22 lines.
    """
    total = before + trouble.pages
    if not passes_milestone(before, total):
        return None
    event, level, what = _PAGES[trouble.verdict]
    pages = "1 page" if total == 1 else f"{total} pages so far"
    detail = f" ({trouble.detail})" if trouble.detail else ""
    return NewLine(event, f"{pages} {what}, {trouble.reason}: {trouble.url}{detail}", level)


def lines_of_choices(before: Choices, after: Choices, outcomes: Sequence[Outcome]) -> list[NewLine]:
    """The lines of a commit: one when the number of pages that were rendered for a reason, or could not be, passes 1, 2, 5, 10 and so on."""
    lines = []
    for way, total in after.pages.items():
        engine, _, why = way.partition("/")
        if engine != "browser" and why not in {Reason.NO_BROWSER, Reason.RENDER_FAILED}:
            continue
        if not passes_milestone(before.pages.get(way, 0), total):
            continue
        url = next(
            (one.request.url for one in reversed(outcomes) if one.took is not None and one.took.way == way),
            "",
        )
        pages = "1 page" if total == 1 else f"{total} pages so far"
        what = "rendered" if engine == "browser" else "not rendered"
        level = LogLevel.INFO if engine == "browser" else LogLevel.WARNING
        message = f"{pages} {what}, {why}: {url} ({MEANING[Reason(why)]})"
        lines.append(NewLine(LogEvent.ENGINE_CHOSEN, message, level))
    return lines


def passes_milestone(before: int, after: int) -> bool:
    """Whether one of 1, 2, 5, 10, 20, 50, 100 … is above `before` and not above `after`."""
    decade = 1
    while decade <= after:
        if any(before < decade * digit <= after for digit in (1, 2, 5)):
            return True
        decade *= 10
    return False
