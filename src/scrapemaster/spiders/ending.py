"""How a job ends whose spider has come to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scrapemaster.domain.job import Counters, JobStatus, StopReason, ending_of

#: The most requests that a job may have at all; what a spider may send is its own affair (`SpiderOrder.pages`).
UNBOUNDED = 100_000_000

_PAGES = "closespider_pagecount"
_TIMES = frozenset({"closespider_timeout", "closespider_timeout_no_item"})
#: Ends that are none: a spider whose engine broke, or that somebody else stopped, has not done its work.
_BROKEN = frozenset({"shutdown", ""})
#: The exit code of a process that SIGXCPU killed.
_NO_TIME = 128 + 24


@dataclass(slots=True, frozen=True)
class Ending:
    """The end of a job. `warnings` are for its user."""

    status: JobStatus
    reason: StopReason
    error: str | None = None
    warnings: tuple[str, ...] = ()


def ending(
    reason: str,
    error: str | None,
    counters: Counters,
    reasons: Mapping[str, int],
    *,
    out_of_time: bool = False,
) -> Ending:
    """How a job ends whose spider ended with Scrapy's `reason`, or could not run for `error`.

    `reasons` counts its failed and skipped pages by reason code. `out_of_time`: it was stopped because its time was over.
    """
    if error is not None:
        what = "its start() raised" if reason == "start_error" else "the spider could not be run:"
        return Ending(JobStatus.FAILED, StopReason.INTERNAL_ERROR, f"{what} {error}")
    if reason == "start_error":
        return Ending(
            JobStatus.FAILED, StopReason.INTERNAL_ERROR, "its start() raised an exception; see the job's log"
        )
    if reason.startswith("memusage"):
        return Ending(
            JobStatus.FAILED,
            StopReason.INTERNAL_ERROR,
            "it took more memory than its settings allow (MEMUSAGE_LIMIT_MB)",
        )
    status, stop = ending_of(counters, UNBOUNDED, reasons)
    if status is JobStatus.FAILED and not counters.items:
        worst = ", ".join(f"{code} ({count})" for code, count in sorted(reasons.items()))
        return Ending(status, stop, f"no page could be had: {worst}")
    warnings = []
    stop = StopReason.FINISHED
    if out_of_time or reason in _TIMES:
        stop = StopReason.MAX_DURATION
    elif reason == _PAGES:
        stop = StopReason.MAX_PAGES
    elif reason != "finished":
        warnings.append(f"the spider closed itself, and says why: {reason[:200]}")
    if not counters.items:
        warnings.append(f"{counters.fetched} pages were fetched and the spider made no item of them")
    if counters.items_failed:
        warnings.append(f"{counters.items_failed} items were dropped by pipelines, or failed in them")
    if counters.failed:
        warnings.append(f"{counters.failed} pages failed; see the job's errors")
    return Ending(JobStatus.COMPLETED, stop, None, tuple(warnings))


def may_go_on(reason: str, error: str | None) -> bool:
    """Whether a run that ended so has come to its end; False when it broke off, and is to be run anew."""
    return error is not None or reason not in _BROKEN


def death_of(code: int, last_words: str) -> str:
    """Why a spider's process died, in a sentence for its user. `code` is 128 and the signal's number where a signal killed it."""
    if code == _NO_TIME:
        return "it took more processor time than it may (SCRAPEMASTER_SPIDER_CPU_SECONDS)"
    how = f"it was killed by signal {code - 128}" if code > 128 else f"it ended with code {code}"
    return f"{how}: {last_words}" if last_words else how
