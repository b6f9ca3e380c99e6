"""A site of any size from nothing: a decimal tree, each page linking to ten below it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

from benchmarks.manual_server import free_port, wait_for_port

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"


def page(path: str, size: int) -> bytes:
    """The page at `/t/12/` and so on: its number, and links to those of its ten children that exist.

    Page numbers are 0 to `size` - 1; the children of n are 10n + 1 … 10n + 10.
    """
    digits = path.removeprefix("/t/")
    if not digits.isdigit() or int(digits) >= size:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    number = int(digits)
    children = [child for child in range(10 * number + 1, 10 * number + 11) if child < size]
    links = "".join(f'<li><a href="/t/{child}">Page {child}</a></li>' for child in children)
    body = (
        f"<!doctype html><html><head><title>Page {number}</title></head><body><h1>Page {number}</h1>"
        f"<p class=n>{number}</p><ul>{links}</ul><p><a href='/t/0'>Home</a></p></body></html>"
    ).encode()
    return _HEAD % (len(body), body)


class TreeProtocol(asyncio.Protocol):
    """The least HTTP/1.1 server that keeps connections alive. `delay` is seconds before each answer."""

    def __init__(self, size: int, delay: float) -> None:
        self._size = size
        self._delay = delay
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode("latin-1")
            answer = page(path, self._size)
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def _serve(port: int, size: int, delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: TreeProtocol(size, delay), "127.0.0.1", port
    )
    await server.serve_forever()


@contextlib.contextmanager
def tree(size: int, *, core: int | None = None, delay: float = 0.0) -> Iterator[str]:
    """Serve a tree of `size` pages from a process of its own; yields the URL of its root."""
    port = free_port()
    pin = ["taskset", "-c", str(core)] if core is not None else []
    process = subprocess.Popen(
        [*pin, sys.executable, "-m", "benchmarks.tree", str(port), str(size), str(delay)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}/t/0"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
