"""A site that knows its visitors by their address, and turns some of them away."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHALLENGE = b"<title>Just a moment...</title><script>window._cf_chl_opt={}</script>"


@dataclass
class Guarded:
    """`/0` links to all `pages`. `turned_away`: how visitors from an address are: by a status, `challenge` or `empty`.

    `ban_after`: so many pages an address may have. Each visitor gets a cookie; `strangers` are those that came with a cookie that
    another address got. `forbidden`: pages that nobody may have (403).
    """

    pages: int
    url: str = ""
    port: int = 0
    turned_away: dict[str, str] = field(default_factory=dict)
    ban_after: int | None = None
    forbidden: set[str] = field(default_factory=set)
    visits: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    strangers: list[str] = field(default_factory=list)
    visited: threading.Event = field(default_factory=threading.Event)
    mood: str = "403"

    def answer(self, address: str, path: str, cookie: str) -> tuple[int, bytes]:
        self.visited.set()
        if cookie and cookie != f"visitor={address}":
            self.strangers.append(f"{address} came with {cookie}")
        if path.strip("/") in self.forbidden:
            return 403, b"not for you"
        mood = self.turned_away.get(address)
        if mood is None and self.ban_after is not None and self.visits[address] >= self.ban_after:
            mood = self.mood
        if mood is not None:
            self.refused[address] += 1
            return {"challenge": (200, CHALLENGE), "empty": (200, b"")}.get(mood) or (int(mood), b"no")
        if path == "/robots.txt":
            return 404, b""
        self.visits[address] += 1
        links = "".join(f"<a href=/{number}>{number}</a>" for number in range(1, self.pages))
        return 200, f"<title>{path}</title>{links if path == '/0' else ''}<p>{path}</p>".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


@contextlib.contextmanager
def guarded_site(pages: int = 30) -> Iterator[Guarded]:
    """Serve it from threads of this process."""
    site = Guarded(pages)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = self.client_address[0]
            status, body = site.answer(address, self.path, self.headers.get("Cookie", ""))
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Set-Cookie", f"visitor={address}; Path=/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    site.url = f"http://127.0.0.1:{site.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
