"""A site that notes when each request arrived, and how many were under way at once."""

import asyncio
import contextlib
import threading
import time

_PAGE = b"<!doctype html><title>page</title><p class=n>1</p>"


class Recorder:
    """Serves any path from a thread of its own, each answer after `delay` seconds. Use as a context manager."""

    def __init__(self, delay=0.0):
        self.arrivals = []
        self.most = 0
        self._here = 0
        self._delay = delay
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        server.close_clients() if hasattr(server, "close_clients") else None

    async def _answer(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.arrivals.append(time.monotonic())
                self._here += 1
                self.most = max(self.most, self._here)
                await asyncio.sleep(self._delay)
                self._here -= 1
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(_PAGE)}\r\n\r\n"
                writer.write(head.encode() + _PAGE)
        writer.close()
