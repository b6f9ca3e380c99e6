"""Serves labelled sites, each at a loopback address of its own, so that each is a host of its own."""

import contextlib
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from labelled.pages import BUILT, CHALLENGE, Reply

APPLICATIONS = {f"/{app}.js": Reply(script, "text/javascript") for app, script in BUILT.items()}


class Running:
    """A site that is served: its address, and how often each path was asked for."""

    def __init__(self, site, number):
        self.site = site
        self.hits = hits = {}
        counter = itertools.count(1)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.partition("?")[0]
                hits[path] = hits.get(path, 0) + 1
                reply, status = site.replies.get(path) or APPLICATIONS.get(path), 200
                body, kind = b"not here", "text/plain"
                if reply is None:
                    status = 404
                elif reply.challenge and "passed=1" not in self.headers.get("Cookie", ""):
                    status, body, kind = reply.challenge, CHALLENGE, "text/html"
                else:
                    body, kind = reply.body.replace(b"$COUNTER", b"%d" % next(counter)), reply.kind
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

            def log_message(self, *values):
                pass

        self._server = ThreadingHTTPServer((f"127.0.1.{number}", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path):
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}{path}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def served(sites):
    """The sites, while they are served."""
    running = [Running(site, number) for number, site in enumerate(sites, 1)]
    try:
        yield running
    finally:
        for one in running:
            one.close()
