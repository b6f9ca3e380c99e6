"""What the user should know of a job, beside how it ended."""

from __future__ import annotations

from collections.abc import Mapping

from scrapemaster.crawl.extraction import MAX_PAGE_LINKS
from scrapemaster.crawl.run import Run
from scrapemaster.domain.escalation import MEANING
from scrapemaster.domain.job import Counters, JobStatus


def warnings_of(counters: Counters, status: JobStatus) -> list[str]:
    """What the user should know of a job that ended."""
    warnings = []
    if status is JobStatus.COMPLETED and counters.items == 0 and not counters.unchanged:
        warnings.append(
            f"{counters.fetched} pages were fetched and no item was found: check the selectors against the page"
        )
    if counters.items_failed:
        warnings.append(f"{counters.items_failed} items were dropped because a required field had no value")
    if status is JobStatus.COMPLETED and counters.failed:
        warnings.append(f"{counters.failed} pages failed; see the job's errors")
    return warnings


def exhausted_error(reasons: Mapping[str, int]) -> str:
    """Why a job ended for want of proxies."""
    return (
        f"{reasons['proxies_exhausted']} pages could not be fetched because all proxies that the job may use are banned, resting or "
        "dead; the job's errors say which, and until when; retry the job then, or add proxies to the pool"
    )


def link_warnings(run: Run) -> list[str]:
    """What the user should know of links that were left out, and of waiting: said once, as soon as it happens."""
    warnings = []
    if run.links.trap is not None:
        warnings.append(
            "links were not followed because they look endless (too long, repeating paths or parameters), the first: "
            + run.links.trap[:300]
        )
    if run.links_cut:
        warnings.append(f"of pages with more than {MAX_PAGE_LINKS:,} links only so many were followed")
    if run.waited_for:
        warnings.append(f"the job had to wait for proxies, the first time because {run.waited_for}")
    if run.missed is not None:
        url, why, lacking = run.missed
        warnings.append(
            f"pages were taken as plain HTTP brought them that seem to need a browser, the first {url[:300]} ({MEANING[why]}): {lacking}"
        )
    return warnings
