"""Around every request, as plain ASGI: an id, a bound on the body, and a last answer to faults."""

from __future__ import annotations

import re

import orjson
import structlog
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scrapemaster.domain.ids import uuid7

log = structlog.get_logger(__name__)

_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
_REQUEST_ID = "request_id"
_TELL_OF_A_BODY = frozenset({b"content-length", b"transfer-encoding"})


class Gzip(GZipMiddleware):
    """Compresses answers for clients that want it, streams chunk by chunk; large chunks in a thread.

    Starlette's own, but a client that says `gzip;q=0` gets none, and a representation of its own is no longer byte for byte
    what a strong ETag promises (RFC 9110, section 8.8.3.3), so that it becomes a weak one.
    """

    def __init__(self, app: ASGIApp, compressed: tuple[str, ...]) -> None:
        super().__init__(
            app,
            minimum_size=1_000,
            compresslevel=5,
            thread_minimum_size=32 * 1024,
            exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, *compressed),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or not _wants_gzip(scope):
            await self.app(scope, receive, send)
            return

        async def send_weak(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                etag = headers.get("etag", "")
                if etag.startswith('"') and "content-encoding" in headers:
                    headers["etag"] = f"W/{etag}"
            await send(message)

        await super().__call__(scope, receive, send_weak)


def _wants_gzip(scope: Scope) -> bool:
    given = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
    for coding in given.decode("latin-1").split(",") if given else ():
        name, _, weight = coding.partition(";")
        if name.strip().lower() == "gzip":
            return re.fullmatch(r"q=0(\.0*)?", weight.replace(" ", "").lower()) is None
    return False


class RequestId:
    """Gives each request an id (the client's own, if it is a plain one), shows it in `X-Request-ID` and in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if _ID.fullmatch(given) else uuid7().encode()
        scope.setdefault("state", {})[_REQUEST_ID] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.reset_contextvars(**bound)


class Faults:
    """Makes a fault of ours a 500 that carries the request's id, and no trace.

    To be put around the routes, so that what adds headers sees the answer, and around everything else as the last line.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_and_know(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_know)
        except Exception:  # every fault gets an answer
            log.exception("request.fault", method=scope["method"], path=scope["path"])
            if started:
                return  # the connection is closed, so that the client does not take a part for the whole
            content = {
                "detail": "Internal server error",
                "type": "internal_error",
                "request_id": scope["state"][_REQUEST_ID],
            }
            await answer_json(send, 500, content)


class BodyLimit:
    """Refuses bodies of more than `limit` bytes with 413, whether or not they say how long they are."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = {name: value for name, value in scope["headers"] if name in _TELL_OF_A_BODY}
        if not told and scope["http_version"] == "1.1":
            await self._app(scope, receive, send)  # there is none (RFC 9112, section 6.3)
            return
        length = told.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._limit:
            await self._refuse(send)
            return
        size = 0
        refused = False

        async def receive_some() -> Message:
            nonlocal size, refused
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._limit:
                    refused = True
                    raise _TooLarge
            return message

        async def send_unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        try:
            await self._app(scope, receive_some, send_unless_refused)
        except _TooLarge:
            await self._refuse(send)
        else:
            if refused:
                await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        content = {"detail": f"the body is larger than {self._limit:,} bytes", "type": "too_large"}
        await answer_json(send, 413, content, [(b"connection", b"close")])


class _TooLarge(Exception):
    pass


async def answer_json(
    send: Send, status: int, content: dict[str, str], headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Send a whole JSON response."""
    body = orjson.dumps(content)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *(headers or []),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
