"""The ceiling: HTTP/1.1 by hand over kept connections, lexbor, everything in memory. It knows no TLS, redirects, time-outs or chunks.

No crawler for use could be this simple; what is faster than this on one core does not use Python for a page's work.
"""

from __future__ import annotations

import asyncio
from typing import cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.peers.lexbor_page import Pages
from benchmarks.peers.order import Order

Address = tuple[str, int]


class Connection(asyncio.Protocol):
    """One request at a time to one address; whoever has finished one takes the next that waits."""

    def __init__(self, crawl: Crawl) -> None:
        self._crawl = crawl
        self._received = bytearray()
        self._whole = 0
        self._html = False
        self._url = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def ask(self, url: str) -> None:
        """Send a request."""
        self._url = url
        parts = urlsplit(url)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        self.transport.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._whole:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(received[:end]).lower()
            self._html = head.startswith(b"http/1.1 200") and b"content-type: text/html" in head
            self._whole = end + 4 + int(head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
            del received[: end + 4]
            self._whole -= end + 4
        if len(received) < self._whole:
            return
        body, self._received, self._whole = bytes(received), bytearray(), 0
        self._crawl.came(self, self._url, body if self._html else None)


class Crawl:
    """What waits, and the connections that wait for it."""

    def __init__(self, order: Order) -> None:
        self.pages = Pages(order)
        self.over = asyncio.get_running_loop().create_future()
        self._waiting = list(reversed(order.urls))
        self._most = order.concurrency
        self._busy = 0
        self._idle: dict[Address, list[Connection]] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    def go_on(self) -> None:
        """Ask for as much as may be under way."""
        while self._waiting and self._busy < self._most:
            self._busy += 1
            url = self._waiting.pop()
            parts = urlsplit(url)
            address = (parts.hostname or "", parts.port or 80)
            if idle := self._idle.get(address):
                idle.pop().ask(url)
            else:
                task = asyncio.create_task(self._connect(address, url))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
        if not self._busy:
            self.over.set_result(None)

    async def _connect(self, address: Address, url: str) -> None:
        _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(self), *address)
        connection.ask(url)

    def came(self, connection: Connection, url: str, body: bytes | None) -> None:
        """A body is whole; None: it is no page."""
        self._busy -= 1
        parts = urlsplit(url)
        self._idle.setdefault((parts.hostname or "", parts.port or 80), []).append(connection)
        if body is not None:
            self._waiting += self.pages.read(url, body)
        self.go_on()


async def crawl(order: Order) -> Pages:
    """Fetch every page that is reachable."""
    found = Crawl(order)
    found.go_on()
    await found.over
    return found.pages


def main() -> None:
    """Crawl and print the figures."""
    order = Order.read()
    pages = uvloop.run(crawl(order))
    order.report(pages.pages, pages.rows)


if __name__ == "__main__":
    main()
