"""What became of a leased request, as it is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from scrapemaster.domain.request import Leased, NewRequest
from scrapemaster.domain.took import Took


class Verdict(StrEnum):
    """The four ends of one piece of work."""

    HANDLED = "handled"
    FAILED = "failed"
    SKIPPED = "skipped"
    RETRY = "retry"


@dataclass(slots=True, frozen=True)
class Outcome:
    """One request's result: everything its commit writes, all or nothing.

    `items` are JSON objects, encoded; a row's identity is (job, request fingerprint, index in
    `items`). `url` is where the page was in the end. `alias` is the fingerprint of that URL when
    it differs from the request's own: if the frontier already knows a request with it, the
    outcome becomes SKIPPED with reason `duplicate` and its items and links are dropped; if not, the alias is
    remembered, so that the page is not fetched again under its other name.

    `fetched`: the server was asked, so the page counts against `max_pages`.
    `retry_at` (epoch seconds) is for RETRY alone. `reason` is a stable code, `detail` a sentence,
    both for FAILED, SKIPPED and RETRY. `items_failed`: items dropped as a required field was
    missing. `body_bytes`: size of the body as downloaded and decoded. `elapsed`: seconds spent asking servers.
    `fill`: in how many of the items each selector had a value, by its dotted name; without those that had none.
    `evidence`: what `reason` was concluded from. `took`: what the `auto` engine chose, None for the others.
    """

    request: Leased
    verdict: Verdict
    url: str
    fetched: bool = True
    items: Sequence[bytes] = ()
    links: Sequence[NewRequest] = ()
    alias: bytes | None = None
    status: int | None = None
    reason: str | None = None
    detail: str | None = None
    retry_at: float | None = None
    items_failed: int = 0
    body_bytes: int = 0
    fetched_at: float = 0.0
    elapsed: float = 0.0
    fill: Mapping[str, int] = field(default_factory=dict)
    evidence: Mapping[str, str] | None = None
    took: Took | None = None


@dataclass(slots=True, frozen=True)
class FailedPage:
    """A request that failed or was skipped, as `/jobs/{id}/errors` shows it."""

    url: str
    state: str
    reason: str
    detail: str
    status: int | None
    attempts: int
    at: float
    evidence: Mapping[str, str] | None = None
