"""Playwright's errors, turned into ours."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage

_NET = re.compile(r"net::(ERR_[A-Z0-9_]+)")

#: By Chromium's names, first match first: (beginnings, permanent, reason, sentence).
_BY_NAME: Sequence[tuple[tuple[str, ...], bool, str, str]] = (
    (("ERR_CERT",), True, "tls_error", "the server's certificate is not trusted"),
    (("ERR_SSL", "ERR_TLS", "ERR_BAD_SSL"), False, "tls_error", "no secure connection could be made"),
    (("ERR_CONNECTION_REFUSED",), False, "connection_refused", "nothing listens there"),
    (("ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET", "ERR_CONNECTION_CLOSED", "ERR_HTTP2", "ERR_SOCKET_NOT_CONNECTED"), False, "connection_reset", "the server closed the connection"),
    (("ERR_TOO_MANY_REDIRECTS",), True, "too_many_redirects", "redirected too often, or in a circle"),
    (("ERR_UNSAFE_REDIRECT", "ERR_UNKNOWN_URL_SCHEME", "ERR_INVALID_REDIRECT", "ERR_INVALID_URL", "ERR_DISALLOWED_URL_SCHEME", "ERR_BLOCKED_BY_CLIENT"), True, "bad_redirect", "led to a place that cannot be gone to"),
    (("ERR_RESPONSE_HEADERS_TOO_BIG",), True, "headers_too_large", "the response's headers are too many or too long"),
    (("ERR_CONTENT_LENGTH_MISMATCH", "ERR_INCOMPLETE_CHUNKED_ENCODING"), False, "body_incomplete", "the body ended before it was whole"),
    (("ERR_CONTENT_DECODING",), False, "body_broken", "the body could not be read or decompressed"),
    (("ERR_INVALID_HTTP_RESPONSE", "ERR_INVALID_CHUNKED_ENCODING", "ERR_RESPONSE_HEADERS", "ERR_INVALID_RESPONSE"), False, "bad_response", "what the server sent is not HTTP"),
    (("ERR_UNSAFE_PORT",), True, "egress_denied", "the port is not open to crawls"),
    (("ERR_INSUFFICIENT_RESOURCES", "ERR_OUT_OF_MEMORY"), False, "page_crashed", "the page took more memory than there is"),
)  # fmt: skip


def failure_of(message: str) -> PageError:
    """The error for what Playwright said of a page that could not be had."""
    if (found := _NET.search(message)) is not None:
        name = found[1]
        for beginnings, permanent, reason, sentence in _BY_NAME:
            if name.startswith(beginnings):
                return GiveUpPage(reason, sentence) if permanent else RetryPage(reason, sentence)
        return RetryPage("network_error", f"the browser could not load the page ({name})")
    if "crashed" in message:
        return crashed()
    if "Timeout" in message:
        return RetryPage("timeout", "the page was not there in time")
    return RetryPage("browser_crashed", "the browser ended while it had the page")


def crashed() -> PageError:
    """The error for a page whose process ended."""
    return RetryPage("page_crashed", "the page's process in the browser crashed")
