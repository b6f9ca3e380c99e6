"""What to fetch, and how it is told apart from everything else a job knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from scrapemaster.domain.url import canonical_url

#: Bytes of a fingerprint: 128 bits, so that a billion requests collide with odds of 10⁻²¹.
FINGERPRINT_BYTES = 16


class RequestState(StrEnum):
    """Where a request stands in its job's frontier."""

    QUEUED = "queued"
    LEASED = "leased"
    HANDLED = "handled"
    FAILED = "failed"
    SKIPPED = "skipped"


#: The highest priority, and the lowest below zero: more than anybody needs, and kept by every store.
MOST_PRIORITY = 1_000_000


def bounded_priority(priority: int) -> int:
    """A priority that somebody else's code chose, within what is allowed."""
    return max(-MOST_PRIORITY, min(MOST_PRIORITY, priority))


def fingerprint(url: str, *, sort_query: bool = False) -> bytes:
    """The identity of a GET of `url` (already normal): 16 bytes, the same for equal spellings."""
    spelling = canonical_url(url, sort_query=sort_query)
    return blake2b(spelling.encode("utf-8", "surrogatepass"), digest_size=FINGERPRINT_BYTES).digest()


@dataclass(slots=True, frozen=True)
class NewRequest:
    """A request on its way into a frontier.

    `priority`: higher goes first; `depth`: links followed from a start URL, which has 0.
    """

    fingerprint: bytes
    url: str
    depth: int = 0
    priority: int = 0

    @classmethod
    def of(cls, url: str, depth: int = 0, priority: int = 0, *, sort_query: bool = False) -> NewRequest:
        """The request for a URL that `parse_url` or `join_url` made normal."""
        return cls(fingerprint(url, sort_query=sort_query), url, depth, priority)


@dataclass(slots=True, frozen=True)
class Leased:
    """A request its holder may work on until the lease ends.

    `key` is the store's own handle. `attempts` counts the fetches that failed and were put back to be tried again;
    `interruptions` counts the leases that expired without a commit (a worker died at it). `asked`: its server was asked before,
    so that it counts against `max_pages` already.
    """

    key: int
    fingerprint: bytes
    url: str
    depth: int
    attempts: int = 0
    interruptions: int = 0
    asked: bool = False
