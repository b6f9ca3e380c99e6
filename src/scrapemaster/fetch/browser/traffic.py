"""What a page loads, as the browser asks us about it (DevTools' Fetch domain): redirects, statuses, headers, what is left out.

Only documents, and the kinds of resources that are left out, stop here; all else goes its way without asking.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrapemaster.domain.errors import GiveUpPage, InvalidUrl, PageError, RetryPage
from scrapemaster.domain.url import origin_of, parse_url
from scrapemaster.fetch.http import redirect_target
from scrapemaster.fetch.status import MAX_REDIRECTS, REDIRECTS, TELLING, refusal

if TYPE_CHECKING:
    from playwright.async_api import CDPSession

#: DevTools' names of what may be left out, by ours.
KINDS: Mapping[str, str] = {
    "image": "Image",
    "media": "Media",
    "font": "Font",
    "stylesheet": "Stylesheet",
    "script": "Script",
    "xhr": "XHR",
    "fetch": "Fetch",
    "texttrack": "TextTrack",
    "eventsource": "EventSource",
    "ping": "Ping",
    "manifest": "Manifest",
    "other": "Other",
}
_DOCUMENTS = frozenset({"text/html", "application/xhtml+xml", ""})
_CHUNK = 1024 * 1024
#: The most that deflate makes of a byte (https://zlib.net/zlib_tech.html).
_DEFLATE = 1_032
#: Headers that are no longer true of a body that was unpacked.
_OF_TRANSFER = frozenset({"content-length", "content-encoding", "transfer-encoding"})


@dataclass(slots=True)
class Arrived:
    """The latest main document. `body` is there when it is none that a browser renders."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes | None = None


@dataclass(slots=True, frozen=True)
class Manners:
    """How a job's pages behave. `allow`, awaited, may refuse a document's URL by raising; `pause` is `refusal`'s."""

    blocked: Sequence[str]
    secrets: Mapping[str, str]
    home: frozenset[str]
    max_body_bytes: int
    allow: Callable[[str], Awaitable[None]]
    pause: Callable[[float], None]


class Traffic:
    """One page's. `cookies`: a main document, or what led to it, set some. `failed` is called once, with the reason, when the page cannot be had any more."""

    def __init__(self, session: CDPSession, manners: Manners, failed: Callable[[PageError], None]) -> None:
        self.arrived: Arrived | None = None
        self.redirects: list[str] = []
        self.asked = ""
        self.cookies = False
        self.news = asyncio.Event()
        self._session = session
        self._manners = manners
        self._failed = failed
        self._blocked = frozenset(KINDS[name] for name in manners.blocked)
        self._main: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Begin."""
        self._session.on("Fetch.requestPaused", self._paused)
        patterns: list[dict[str, str]] = [
            {"resourceType": "Document", "requestStage": "Request"},
            {"resourceType": "Document", "requestStage": "Response"},
            *({"resourceType": kind} for kind in sorted(self._blocked)),
        ]
        if self._manners.secrets:
            # Each request is to be looked at, and each hop of it: secrets go home and nowhere else.
            patterns = [{"urlPattern": "*"}, patterns[1]]
        await self._session.send("Fetch.enable", {"patterns": patterns})

    def close(self) -> None:
        """Answer no more."""
        for task in self._tasks:
            task.cancel()

    def _paused(self, event: dict[str, Any]) -> None:
        task = asyncio.ensure_future(self._answer(event))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the page went away in the meantime; who waits for it knows

    async def _answer(self, event: dict[str, Any]) -> None:
        kind, request = event["resourceType"], event["requestId"]
        answered = "responseStatusCode" in event or "responseErrorReason" in event
        if kind in self._blocked and not answered:
            await self._refuse(request, "BlockedByClient")
            return
        if kind == "Document":
            if self._main is None:
                self._main = event["frameId"]
            if event["frameId"] == self._main:
                try:
                    await (self._respond(event) if answered else self._request(event))
                except PageError as error:
                    self._failed(error)
                    await self._refuse(request, "Aborted")
                return
        await self._go_on(event, answered=answered)

    async def _request(self, event: dict[str, Any]) -> None:
        """The main document is to be asked for: at first, after a redirect, or because the page itself goes elsewhere."""
        url = event["request"]["url"].partition("#")[0]
        try:
            parse_url(url)
        except InvalidUrl as error:
            raise GiveUpPage("bad_redirect", f"led to {url[:200]!r}: {error}") from None
        if self.asked:
            if event.get("redirectedRequestId"):
                self.redirects.append(self.asked)
            if len(self.redirects) > MAX_REDIRECTS:
                if url in self.redirects:
                    raise GiveUpPage("redirect_loop", f"redirected in a circle, back to {url[:2_000]}")
                raise GiveUpPage(
                    "too_many_redirects", f"more than {MAX_REDIRECTS} redirects, the last to {url[:2_000]}"
                )
            if url != self.asked:
                await self._manners.allow(url)
        self.asked = url
        await self._go_on(event, answered=False)

    async def _respond(self, event: dict[str, Any]) -> None:
        """The main document's status and headers are there."""
        status = event.get("responseStatusCode")
        if status is None:
            await self._go_on(event, answered=True)
            return
        if not 200 <= status <= 599:
            raise RetryPage("bad_response", "what the server sent is not HTTP")
        headers = _headers(event.get("responseHeaders", ()))
        self.cookies = self.cookies or "set-cookie" in headers
        url = event["request"]["url"].partition("#")[0]
        if status in REDIRECTS and "location" in headers:
            redirect_target(url, headers["location"].encode("utf-8", "surrogateescape"), status)
            await self._go_on(event, answered=True)
            return
        renders = status not in {204, 205} and _kind(headers) in _DOCUMENTS and not _saved(headers)
        if not 200 <= status < 300:
            if status not in TELLING:
                raise refusal(status, headers.get("retry-after"), self._manners.pause)
            renders = True
        arrived = Arrived(url, status, headers)
        self._check(_length(headers))
        if renders and _unpacked_at_most(headers) <= self._manners.max_body_bytes:
            # Of one that ends too early the browser never says that it has loaded: the page's time ends it.
            self._arrive(arrived)
            await self._go_on(event, answered=True)
            return
        body = b"" if status in {204, 205} else await self._body(event["requestId"])
        if not renders:
            arrived.body = body
            self._arrive(arrived)
            await self._refuse(event["requestId"], "Aborted")
            return
        self._arrive(arrived)
        await self._session.send(
            "Fetch.fulfillRequest",
            {
                "requestId": event["requestId"],
                "responseCode": status,
                "responseHeaders": [
                    one for one in event["responseHeaders"] if one["name"].lower() not in _OF_TRANSFER
                ],
                "body": base64.b64encode(body).decode(),
            },
        )

    def _arrive(self, arrived: Arrived) -> None:
        self.arrived = arrived
        self.news.set()

    def _check(self, size: int) -> None:
        limit = self._manners.max_body_bytes
        if size > limit:
            raise GiveUpPage("body_too_large", f"the body is longer than the limit of {limit:,} bytes")

    async def _body(self, request: str) -> bytes:
        """The body, unpacked: the browser gets it once it is known to be whole, and no longer than it may be."""
        answer = await self._session.send("Fetch.takeResponseBodyAsStream", {"requestId": request})
        chunks: list[bytes] = []
        size = 0
        while True:
            part = await self._session.send("IO.read", {"handle": answer["stream"], "size": _CHUNK})
            chunks.append(_decoded(part))
            size += len(chunks[-1])
            self._check(size)
            if part["eof"]:
                await self._session.send("IO.close", {"handle": answer["stream"]})
                return b"".join(chunks)

    async def _go_on(self, event: dict[str, Any], *, answered: bool) -> None:
        wanted: dict[str, Any] = {"requestId": event["requestId"]}
        manners = self._manners
        if manners.secrets and not answered:
            names = {name.lower() for name in manners.secrets}
            headers = {
                name: value
                for name, value in event["request"]["headers"].items()
                if name.lower() not in names
            }
            if _origin(event["request"]["url"]) in manners.home:
                headers |= manners.secrets
            wanted["headers"] = [{"name": name, "value": value} for name, value in headers.items()]
        await self._session.send("Fetch.continueRequest", wanted)

    async def _refuse(self, request: str, reason: str) -> None:
        await self._session.send("Fetch.failRequest", {"requestId": request, "errorReason": reason})


def _headers(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for one in given:
        name, value = one["name"].lower(), one["value"]
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _length(headers: Mapping[str, str]) -> int:
    """The length of a body as it is sent, where the headers tell it; else 0."""
    length = headers.get("content-length", "")
    return int(length[:20]) if length.isascii() and length.isdigit() else 0


def _unpacked_at_most(headers: Mapping[str, str]) -> float:
    """How long a body can be once it is unpacked. One that is not packed is bounded by what the page may have in all."""
    packing = headers.get("content-encoding", "").strip().lower()
    if packing in {"", "identity"}:
        return 0
    return _length(headers) * _DEFLATE if packing in {"gzip", "deflate"} and _length(headers) else math.inf


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _saved(headers: Mapping[str, str]) -> bool:
    return headers.get("content-disposition", "").strip().lower().startswith("attachment")


def _origin(url: str) -> str:
    return origin_of(url) if url.startswith(("http://", "https://")) else ""


def _decoded(part: Mapping[str, Any]) -> bytes:
    try:
        data = str(part["data"])
        return base64.b64decode(data) if part.get("base64Encoded") else data.encode("utf-8", "replace")
    except binascii.Error:
        return b""
