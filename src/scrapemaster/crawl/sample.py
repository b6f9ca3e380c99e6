"""Which fetches of a slice are traced."""

from __future__ import annotations

from urllib.parse import urlsplit

from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.url import host_of
from scrapemaster.ports.tracing import Fact, Span, Work

#: Seconds of asking a server after which a fetch is slow.
SLOW_SECONDS = 1.0
#: Fetches traced in one slice at most.
FETCHES_AT_MOST = 10
_LONGEST_URL = 2_000


class FetchSample:
    """Adds a slice's first fetch to its span, and those that are slow, some at most. Told of each page."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._taken = 0

    def saw(self, outcome: Outcome) -> None:
        """A page is done."""
        if not wanted(outcome, self._taken):
            return
        self._taken += 1
        failure = None if outcome.verdict is Verdict.HANDLED else outcome.reason
        self._span.past(Work.FETCH, "fetch", facts_of(outcome), outcome.elapsed, failure)


def wanted(outcome: Outcome, taken: int) -> bool:
    """Whether a fetch is traced when so many of its slice are. Pages for which no server was asked are none."""
    if not outcome.fetched or taken >= FETCHES_AT_MOST:
        return False
    return taken == 0 or outcome.elapsed >= SLOW_SECONDS


def facts_of(outcome: Outcome) -> dict[str, Fact]:
    """What a fetch's span tells. User, password, query and fragment of a URL can be secrets, and are left out."""
    facts: dict[str, Fact] = {
        "url.full": _shown(outcome.url),
        "server.address": host_of(outcome.url),
        "http.request.resend_count": outcome.request.attempts,
        "scrapemaster.depth": outcome.request.depth,
        "scrapemaster.rows": len(outcome.items),
    }
    if outcome.status is not None:
        facts["http.response.status_code"] = outcome.status
    if outcome.reason is not None:
        facts["scrapemaster.reason"] = outcome.reason
    return facts


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:_LONGEST_URL]
