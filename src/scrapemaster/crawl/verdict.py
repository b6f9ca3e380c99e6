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
#: Extracting a page may end this many processes. Whose page ended one is known, so it is the page's doing.
POISON_DEATHS = 3
#: A request that was under way this often when a worker died is not tried again. There were others beside it each time: kills and restarts in a row
#: meet the same first requests again and again, which had better not be lost for it; a page that ends each worker in a way that nobody can
#: see must not do so for ever.
MOST_INTERRUPTIONS = 12


def check_poison(leased: Leased) -> None:
    """Raise `GiveUpPage` for a request at which too many workers died."""
    if leased.interruptions >= MOST_INTERRUPTIONS:
        raise GiveUpPage(
            "poison",
            f"{leased.interruptions} times a worker died while it was under way, so it is not tried again",
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
