"""A webhook receiver that behaves as the path of its URL says, and remembers what came."""

import contextlib
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Message:
    """One POST as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def content(self):
        return json.loads(self.body)

    @property
    def type(self):
        return self.content["type"]

    @property
    def data(self):
        return self.content["data"]


class Receiver(ThreadingHTTPServer):
    """Serves `/ok`, `/status/410`, `/once/500` (the first time), `/hold` (until `free` is set), `/redirect`, `/endless`, `/drip`.

    Anything may follow these paths, so that each test has URLs of its own.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages = []
        self.sent_bytes = 0
        self.holding = 0
        self.most_held = 0
        self.free = threading.Event()
        self.changed = threading.Condition()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def at(self, path):
        """What came to a path, oldest first."""
        return [message for message in self.messages if message.path == path]

    def wait_for(self, path, count=1, seconds=30.0):
        """The messages at a path once there are `count`."""
        end = time.monotonic() + seconds
        with self.changed:
            while len(self.at(path)) < count:
                left = end - time.monotonic()
                assert left > 0, f"{len(self.at(path))} of {count} messages came to {path}"
                self.changed.wait(left)
        return self.at(path)

    def handle_error(self, request, client_address):
        """Clients may go away when they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # noqa: A002 -- the library's signature
        pass

    def do_GET(self):
        self._note(b"")
        self._answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        first = self._note(body)
        verb, _, rest = self.path.lstrip("/").partition("/")
        match verb:
            case "status":
                self._answer(int(rest.partition("/")[0]), b"as you wish")
            case "once" if first:
                self._answer(int(rest.partition("/")[0]), b"not yet")
            case "hold":
                self._hold()
            case "redirect":
                self._answer(302, headers={"Location": "/ok/redirected"})
            case "endless":
                self._stream(b"x" * 65_536, 0.0)
            case "drip":
                self._stream(b"x", 0.1)
            case _:
                self._answer(200, b"thanks")

    def _note(self, body):
        server = self.server
        with server.changed:
            first = not server.at(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.messages.append(Message(self.path, headers, body))
            server.changed.notify_all()
        return first

    def _hold(self):
        server = self.server
        with server.changed:
            server.holding += 1
            server.most_held = max(server.most_held, server.holding)
            server.changed.notify_all()
        server.free.wait(60)
        with server.changed:
            server.holding -= 1
        self._answer(200)

    def _stream(self, chunk, pause):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while self.server.sent_bytes < 256 * 1024 * 1024:
                self.wfile.write(chunk)
                self.server.sent_bytes += len(chunk)
                time.sleep(pause)

    def _answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def receiver():
    """A receiver that runs."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.free.set()
        server.shutdown()
        server.server_close()
        thread.join()
