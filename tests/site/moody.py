"""A small site whose mood a test sets: which pages are broken, and how slow it is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Moody:
    """`/0` links to all `pages`; each page links home. `broken` ones answer 404."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.broken: set[int] = set()
        self.delay = 0.0
        self.hits: Counter[int] = Counter()
        self.url = ""

    def answer(self, path: str) -> tuple[int, bytes]:
        digits = path.strip("/")
        if not digits.isdigit():
            return 404, b""
        number = int(digits)
        self.hits[number] += 1
        time.sleep(self.delay)
        if number in self.broken:
            return 404, b"not now"
        links = range(1, self.pages) if number == 0 else [0, number + 1_000]
        anchors = "".join(f"<a href=/{link}>{link}</a>" for link in links)
        return 200, f"<title>{number}</title><p class=n>{number}</p>{anchors}".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def moody_site(pages: int) -> Iterator[Moody]:
    """Serve it from threads of this process."""
    site = Moody(pages)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = site.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
