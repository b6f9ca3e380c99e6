"""The gate: the only way out of the browser, one for each page.

It is a SOCKS5 server (RFC 1928) on loopback that a page's browser context has as its proxy. The browser resolves no names itself, so every
connection that a page, its frames, workers, sockets or prefetches want asks here by name; the name is resolved under the egress policy, and the address
that was vetted is the one that is connected to. SOCKS rather than an HTTP proxy: after the greeting there are only bytes to
pass on, so that there is nothing to parse and nothing to be smuggled. Chromium cannot authenticate itself to a SOCKS
proxy; so the kernel is asked whose process it is that connects (`peer`), and others than our own user's are turned away.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import cast

from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage
from scrapemaster.fetch.browser.end import End
from scrapemaster.fetch.browser.peer import is_ours
from scrapemaster.fetch.browser.upstream import Outlet, Target, connect
from scrapemaster.fetch.egress import EgressPolicy

#: Connections of one page at once; a browser makes 6 to each host, and 32 to a proxy.
_CONNECTIONS = 256
#: Bytes of a greeting at most: 4, a name of 255 and its length, a port; and 257 of methods before.
_GREETING = 600
#: Hosts whose refusal is remembered.
_REFUSALS = 100
#: SOCKS replies.
_GRANTED, _FAILED, _NOT_ALLOWED, _UNREACHABLE, _REFUSED = 0, 1, 2, 4, 5
_NO_METHOD, _NO_COMMAND, _NO_KIND = 0xFF, 7, 8
_NOWHERE = b"\0\1\0\0\0\0\0\0"


class Gate:
    """One page's way out. `inlet` makes what speaks to who comes in; without it that is SOCKS.

    `refusals` say, by host and port, why connections were not made. When more than `limit` bytes came in, if there is a limit, `on_flood` is called once
    and everything is cut.
    """

    def __init__(
        self,
        egress: EgressPolicy,
        proxy: str | None,
        limit: int | None = None,
        on_flood: Callable[[], None] | None = None,
        inlet: Callable[[Gate], Inlet] | None = None,
    ) -> None:
        self.refusals: dict[tuple[str, int], PageError] = {}
        self.received = 0
        self.port = 0
        self._egress = egress
        self._proxy = proxy
        self._limit = limit
        self._on_flood = on_flood
        self._inlet = inlet or Inlet
        self._server: asyncio.Server | None = None
        self._inlets: set[Inlet] = set()

    async def open(self) -> None:
        """Listen on a free port of loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._inlet(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Cut all connections and listen no more; twice is no error."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for inlet in list(self._inlets):
            inlet.abort()

    def admit(self, inlet: Inlet, transport: asyncio.Transport) -> bool:
        """Whether a connection to the gate is one of our browser's."""
        peer, ours = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if self._server is None or len(self._inlets) >= _CONNECTIONS or not is_ours(peer, ours):
            return False
        self._inlets.add(inlet)
        return True

    def leave(self, inlet: Inlet) -> None:
        """The connection has ended."""
        self._inlets.discard(inlet)

    def count(self, size: int) -> None:
        """So many bytes came in."""
        self.received += size
        if self._limit is not None and self.received > self._limit and self._server is not None:
            self.close()
            if self._on_flood is not None:
                self._on_flood()

    async def reach(self, host: str, port: int, inlet: Inlet, proxy: str | None = None) -> _Outlet:
        """A connection to where the browser wants to go, by `proxy` if there is one; raises `PageError`, and remembers it."""
        try:
            addresses = await self._egress.addresses(host, port)
            _, outlet = await connect(
                Target(host, port, addresses),
                proxy or self._proxy,
                self._egress,
                lambda: _Outlet(self, inlet),
            )
        except PageError as error:
            if len(self.refusals) < _REFUSALS:
                self.refusals[host, port] = error
            raise
        return outlet


class Inlet(End, asyncio.Protocol):
    """From the browser: greets, asks for a connection, and then sends what goes out."""

    #: Bytes that a greeting has at most.
    greeting = _GREETING

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._buffer = b""
        self._greeted = False
        self._asking: asyncio.Task[None] | None = None
        self._outlet: _Outlet | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        connection = cast("asyncio.Transport", transport)
        if self._gate.admit(self, connection):
            self._transport = connection
        else:
            connection.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._outlet is not None:
            self._outlet.send(data)
            return
        self._buffer += data
        # Nothing is to come before the answer, but what came early belongs to whom it is meant for.
        if self._asking is None and (len(self._buffer) > self.greeting or not self._greet()):
            self.abort()

    def eof_received(self) -> bool:
        """See asyncio."""
        if self._outlet is not None:
            self._outlet.finish()
            return True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        del exc
        self._transport = None
        self._gate.leave(self)
        if self._asking is not None:
            self._asking.cancel()
        if self._outlet is not None:
            self._outlet.abort()

    def pause_writing(self) -> None:
        """See asyncio."""
        if self._outlet is not None:
            self._outlet.hold()

    def resume_writing(self) -> None:
        """See asyncio."""
        if self._outlet is not None:
            self._outlet.go_on()

    def finish(self) -> None:
        """The other side has ended."""
        if self._transport is not None:
            self._transport.close()

    def _greet(self) -> bool:
        """Read what is whole of the greeting and answer it; False when it is none."""
        buffer = self._buffer
        if not self._greeted:
            if buffer[:1] != b"\5":
                return not buffer
            if len(buffer) < 2 or len(buffer) < 2 + buffer[1]:
                return True
            self._greeted = True
            if 0 not in buffer[2 : 2 + buffer[1]]:
                self.send(bytes([5, _NO_METHOD]))
                return False
            self.send(b"\5\0")
            buffer = self._buffer = buffer[2 + buffer[1] :]
        if len(buffer) < 5:
            return True
        if buffer[:3] != b"\5\1\0":
            self._answer(_NO_COMMAND)
            return False
        length = {1: 4, 3: 1 + buffer[4], 4: 16}.get(buffer[3])
        if length is None:
            self._answer(_NO_KIND)
            return False
        end = 4 + length + 2
        if len(buffer) >= end:
            where, (port,) = buffer[4 : end - 2], struct.unpack("!H", buffer[end - 2 : end])
            host = where[1:].decode("latin-1") if buffer[3] == 3 else str(ip_address(where))
            self._buffer = buffer[end:]
            self._start(host, port)
        return True

    def _start(self, host: str, port: int, proxy: str | None = None) -> None:
        """Have a connection made."""
        self._asking = asyncio.create_task(self._ask(host, port, proxy))

    async def _ask(self, host: str, port: int, proxy: str | None = None) -> None:
        try:
            outlet = await self._gate.reach(host, port, self, proxy)
        except PageError as error:
            self._refuse(error)
            self.finish()
            return
        if self._transport is None:
            outlet.abort()
            return
        self._grant()
        self._outlet = outlet
        if self._buffer:
            outlet.send(self._buffer)
            self._buffer = b""

    def _grant(self) -> None:
        """Say that the connection is there."""
        self._answer(_GRANTED)

    def _refuse(self, error: PageError) -> None:
        """Say why there is none."""
        self._answer(_reply_of(error))

    def _answer(self, reply: int) -> None:
        self.send(bytes([5, reply]) + _NOWHERE)


class _Outlet(End, Outlet):
    """To the server: passes on what comes in."""

    def __init__(self, gate: Gate, inlet: Inlet) -> None:
        self._gate = gate
        self._inlet = inlet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self._inlet.send(data)
        self._gate.count(len(data))

    def eof_received(self) -> None:
        """See asyncio."""
        self._inlet.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._transport = None
        if exc is None:
            self._inlet.finish()
        else:
            self._inlet.abort()

    def pause_writing(self) -> None:
        """See asyncio."""
        self._inlet.hold()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._inlet.go_on()

    def finish(self) -> None:
        """The browser will send no more."""
        if self._transport is not None and self._transport.can_write_eof():
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()


def _reply_of(error: PageError) -> int:
    if error.reason == "connection_refused":
        return _REFUSED
    if isinstance(error, GiveUpPage):
        return _NOT_ALLOWED
    return _UNREACHABLE if isinstance(error, RetryPage) else _FAILED
