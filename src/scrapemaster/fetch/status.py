"""What a status means that brings no page."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 10
#: The longest a server may make us wait by Retry-After, in seconds.
MAX_RETRY_AFTER = 3_600.0
#: Statuses with which block pages and challenges are sent: what stands in their bodies tells more.
TELLING = frozenset({401, 403, 405, 429, 503})
#: Bytes of such a body that are looked at.
HEAD_BYTES = 65_536
#: Worth trying again: the server says that it is at fault, or busy.
_RETRY_STATUS = frozenset({408, 425, 429})
_PERMANENT_5XX = frozenset({501, 505, 511})


def refusal(status: int, retry_after: str | None, pause: Callable[[float], None]) -> PageError:
    """What a status that brings no page means. `pause` is told for how many seconds the host asked to be left alone."""
    reason, detail = f"http_{status}", f"the server answered {status}"
    if status in _RETRY_STATUS or (status >= 500 and status not in _PERMANENT_5XX):
        seconds = parse_retry_after(retry_after, time.time())
        if seconds is not None and status in {429, 503}:
            pause(seconds)
            detail += f" and asked to wait {seconds:.0f} s"
        return RetryPage(reason, detail, status, seconds)
    return GiveUpPage(reason, detail, status)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait (RFC 9110, section 10.2.3): a number or a date; at most an hour. None when absent or absurd.

    `now` is epoch seconds.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), MAX_RETRY_AFTER)
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    wait = (then - datetime.fromtimestamp(now, UTC)).total_seconds()
    return min(max(0.0, wait), MAX_RETRY_AFTER)
