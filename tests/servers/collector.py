"""An OpenTelemetry collector for tests: takes traces over OTLP/HTTP and keeps them."""

import gzip
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """A span as it came, with what its process said of itself."""

    name: str
    trace: str
    id: str
    parent: str
    links: tuple[tuple[str, str], ...]
    facts: dict[str, object]
    failed: bool
    seconds: float
    process: dict[str, object]


class Collector(ThreadingHTTPServer):
    """Spans are in `spans`, in the order of their arrival; `headers` are those of the last message; `paths` all paths asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.spans = []
        self.paths = []
        self.headers = {}

    def until(self, condition, seconds=60.0):
        """Wait until the condition holds for the spans; what it gives."""
        end = time.monotonic() + seconds
        while not (found := condition(list(self.spans))):
            assert time.monotonic() < end, [(span.name, span.trace, span.parent) for span in self.spans]
            time.sleep(0.05)
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.paths.append(self.path)
        self.server.headers = dict(self.headers)
        self.server.spans += _spans_of(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def _spans_of(request):
    return [
        Seen(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
            _facts_of(span.attributes),
            span.status.code == 2,
            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
            _facts_of(resource.resource.attributes),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _facts_of(attributes):
    return {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in attributes}


@contextmanager
def collector():
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
