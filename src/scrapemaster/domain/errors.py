"""Every error ScrapeMaster raises on purpose.

    ScrapeMasterError
    ├── UserError                 the caller can mend it; the message says how
    │   ├── InvalidInput          what was sent cannot be used
    │   │   ├── InvalidUrl
    │   │   ├── InvalidSelector   names the selector
    │   │   └── InvalidSetting
    │   ├── NotFound
    │   ├── Conflict              the state of things forbids it
    │   ├── NotAuthenticated
    │   ├── Forbidden
    │   ├── TooMany               a limit is spent; `retry_after` says when to come back
    │   └── MissingExtra          an optional dependency is not installed
    ├── PageError                 one page could not be had; carries a `reason` code
    │   ├── RetryPage             retry later
    │   └── GiveUpPage            the same request will fail again
    ├── PostponePage              not now, for no fault of the page: put it back until a time, uncounted
    ├── LeaseLost                 another holder works on it: drop the work
    ├── StoreError                the store failed
    │   ├── StoreUnavailable      retry later
    │   │   └── StoreFull         there is no space: make room first
    │   └── StoreBroken           stop and tell the operator
    └── RedisUnavailable          Redis does not answer: wait, or do without

An error says its policy; which HTTP status it becomes is decided in `api.errors` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from scrapemaster.domain.page import Page


class ScrapeMasterError(Exception):
    """The root of the tree above."""


class UserError(ScrapeMasterError):
    """The caller can mend it; the message is a sentence for a person."""

    code: ClassVar[str] = "bad_request"


class InvalidInput(UserError):
    """What was sent cannot be used. `where` is the path to the offending field."""

    code = "validation_error"

    def __init__(self, message: str, where: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.where = where


class InvalidUrl(InvalidInput):
    """Not an absolute http or https URL."""


class InvalidSelector(InvalidInput):
    """A selector that does not compile; the message names it."""


class InvalidSetting(InvalidInput):
    """A `SCRAPEMASTER_*` setting that cannot be used."""


class NotFound(UserError):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"


class Conflict(UserError):
    """The state of things forbids it."""

    code = "conflict"


class NotAuthenticated(UserError):
    """Missing, wrong, expired or revoked credentials; the wording never says which."""

    code = "not_authenticated"

    def __init__(self, message: str = "Could not validate credentials") -> None:
        super().__init__(message)


class Forbidden(UserError):
    """Known, but not allowed."""

    code = "forbidden"


class TooMany(UserError):
    """A limit is spent. `retry_after` is in seconds."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MissingExtra(UserError):
    """An optional dependency is missing; the message says what to install."""

    code = "missing_extra"

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an extra that is not installed: run pip install 'scrapemaster[{extra}]'"
        )


class PageError(ScrapeMasterError):
    """One page could not be had.

    `reason` is a stable snake_case code for people and programs (`dns_failure`, `timeout`,
    `egress_denied`, `http_404`, …), `status` the HTTP status when there was one. `elapsed` is the
    seconds that asking servers took, where the fetcher says so. `page` is what the server
    sent with that status, its body cut short, where that may tell more. `evidence` is what the reason was
    concluded from, for a person to judge.
    """

    page: Page | None = None
    evidence: Mapping[str, str] | None = None

    def __init__(self, reason: str, detail: str = "", status: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.status = status
        self.elapsed = 0.0


class RetryPage(PageError):
    """It may work later. `retry_after` (seconds) is what the server asked for, if it did."""

    def __init__(
        self,
        reason: str,
        detail: str = "",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason, detail, status)
        self.retry_after = retry_after


class GiveUpPage(PageError):
    """The same request will fail the same way."""


class PostponePage(ScrapeMasterError):
    """The page cannot be asked for now, which is not its fault: put it back until `until` (epoch seconds), uncounted.

    The message is a sentence for the job's warnings.
    """

    def __init__(self, message: str, until: float) -> None:
        super().__init__(message)
        self.until = until


class LeaseLost(ScrapeMasterError):
    """The work belongs to another holder, or its job is over: drop it, write nothing."""


class StoreError(ScrapeMasterError):
    """The store failed."""


class StoreUnavailable(StoreError):
    """The store does not answer now; try again."""


class StoreFull(StoreUnavailable):
    """There is no space left where the store is. What was to be written was not; reading goes on."""


class StoreBroken(StoreError):
    """The store cannot be used until a person acts (corrupt file, newer version)."""


class RedisUnavailable(ScrapeMasterError):
    """Redis does not answer. What it carries is disposable: do without it, or wait where politeness asks for that."""
