"""One client's connection, with bounds that uvicorn does not have: on time, on the request's head, on how slowly it may read."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from scrapemaster.domain.ids import uuid7

#: Bytes of a request's head, and of its URL alone; nginx takes 32 KiB and 8 KiB by default, Apache 8 KiB for the URL.
MAX_HEAD = 65_536
MAX_URL = 8_192
#: Bytes a second that a body must come at, in the long run.
_SLOWEST = 4_096
#: How many times as long a client may leave a response unread that is waiting for it.
_STUCK = 2
_SENTENCES = {
    400: ("bad_request", "this is not HTTP that can be read"),
    408: ("timeout", "the request came too slowly"),
    414: ("uri_too_long", f"the URL is longer than {MAX_URL:,} bytes"),
    431: ("headers_too_large", f"the headers are larger than {MAX_HEAD:,} bytes"),
}


class Refused(ValueError):
    """Raised inside the parser, which then asks for the answer."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, cut when the client is slow or sends too much of a head.

    A request must be complete `seconds` after its first byte (or, on a new connection, after it was made), plus a second
    for each 4 KiB that came: a client that sends a byte a second is cut, a large body on a thin line is not. This holds for
    what is left of a body after the response too. A client that stops reading its response is cut after twice that time.
    """

    #: Set by `bounded`.
    seconds = 30.0

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._status = 400
        self._began: float | None = None
        self._received = 0
        self._head = 0
        #: Bytes since the parser last told of something: it keeps an unfinished header or trailer in memory.
        self._untold = 0
        self._running: RequestResponseCycle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._settled()
        self._flows()
        if self._running is not None:
            # uvicorn tells only the last one of several requests that were sent at once.
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._began is None:
            self._expect()
        self._received += len(data)
        self._untold += len(data)
        super().data_received(data)
        if self._untold > MAX_HEAD and not self.transport.is_closing():
            self._refuse(431)

    def pause_writing(self) -> None:
        """See asyncio."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(_STUCK * self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio."""
        self._flows()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """See httptools."""
        self._head = 0
        if self._began is None:
            self._expect()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        super().on_url(url)
        if len(self.url) > MAX_URL:
            self._status = 414
            raise Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools; called for a chunked body's trailers too."""
        self._head += len(name) + len(value) + 4
        if self._head > MAX_HEAD:
            self._status = 431
            raise Refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._untold = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._untold = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        self._untold = 0
        self._settled()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's signature
        """Answer what the parser refused, in our words."""
        self._refuse(self._status)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _expect(self) -> None:
        """A request is to be complete in time from now on."""
        self._began = self.loop.time()
        self._received = 0
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self._look)

    def _settled(self) -> None:
        self._began = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _flows(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _look(self) -> None:
        self._deadline = None
        if self._began is None or self.transport.is_closing():
            return
        # What we do not read is not the client's fault.
        left = self._began + self.seconds + self._received / _SLOWEST - self.loop.time()
        if self.flow.read_paused:
            left = max(left, self.seconds)
        if left > 0:
            self._deadline = self.loop.call_later(left, self._look)
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answer, if no other answer was begun and there was a request, and close."""
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        between = cycle is None or cycle.response_complete
        silent = status == 408 and between and self._received == 0
        if silent or (not between and cycle.response_started):
            self.transport.close()
            return
        kind, sentence = _SENTENCES[status]
        body = orjson.dumps({"detail": sentence, "type": kind})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", uuid7().encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        lines = [STATUS_LINE[status], *(b"%b: %b\r\n" % header for header in headers), b"\r\n", body]
        self.transport.write(b"".join(lines))
        self.transport.close()


def bounded(seconds: float) -> type[Connection]:
    """The class of connections whose requests must come in `seconds`, and a little more for large ones."""
    return type("Connection", (Connection,), {"seconds": seconds})
