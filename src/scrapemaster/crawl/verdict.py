"""What a failed page means for its request: a pure decision."""

from __future__ import annotations

from random import Random

from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import Leased
from scrapemaster.fetch.backoff import retry_delay

#: Reasons for which a page is not counted as failed: it was left out by rule.
SKIP_REASONS = frozenset(
    {
        "robots_denied",
        "not_html",
        "download",
        "duplicate",
        "offsite_redirect",
        "scrapy_ignored",
        "scrapy_dropped",
    }
)
#: Reasons for which the server of the page was never asked.
UNASKED_REASONS = frozenset(
    {"robots_denied", "egress_denied", "poison", "robots_unreachable", "proxies_exhausted", "scrapy_ignored"}
)
#: A request whose worker died this often is not tried again.
POISON_INTERRUPTIONS = 3


def check_poison(leased: Leased) -> None:
    """Raise `GiveUpPage` for a request that workers died on too often."""
    if leased.interruptions >= POISON_INTERRUPTIONS:
        raise GiveUpPage(
            "poison", f"a worker died on it {leased.interruptions} times, so it is not tried again"
        )


def outcome_of_error(
    leased: Leased, error: PageError, *, max_retries: int, now: float, rng: Random
) -> Outcome:
    """The outcome of a request whose fetch ended in `error`: tried again, skipped or failed.

    `now` is epoch seconds; a retry waits with jittered exponential backoff, or as long as the server asked for.
    """
    fetched = error.reason not in UNASKED_REASONS
    # What a server sent may be quoted in it, and must not be able to spoil the commit.
    detail = error.detail.encode("utf-8", "replace").decode("utf-8")[:1_000]
    if isinstance(error, RetryPage) and leased.attempts < max_retries:
        return Outcome(
            request=leased,
            verdict=Verdict.RETRY,
            url=leased.url,
            fetched=fetched,
            status=error.status,
            reason=error.reason,
            detail=detail,
            retry_at=now + retry_delay(leased.attempts, error.retry_after, rng),
            fetched_at=now,
            elapsed=error.elapsed,
            evidence=error.evidence,
        )
    return Outcome(
        request=leased,
        verdict=Verdict.SKIPPED if error.reason in SKIP_REASONS else Verdict.FAILED,
        url=leased.url,
        fetched=fetched,
        status=error.status,
        reason=error.reason,
        detail=detail,
        fetched_at=now,
        elapsed=error.elapsed,
        evidence=error.evidence,
    )
