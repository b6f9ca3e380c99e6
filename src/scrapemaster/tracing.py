"""Traces by OpenTelemetry, sent over OTLP/HTTP. The one module that knows the library; imported only where traces are wanted.

The library's own variables (`OTEL_*`) keep their meaning: headers, certificates, time-outs, sampling, batches, limits, resource.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from scrapemaster import __version__
from scrapemaster.ports.tracing import Facts, Work

#: Where OTLP/HTTP takes traces, below the endpoint (OTLP specification, section "OTLP/HTTP Request").
_TRACES_PATH = "/v1/traces"
#: Seconds that a process which stops gives the collector to take what is left.
_FLUSH_SECONDS = 0.5
#: Seconds between lines of the log about a collector that does not take what is sent.
_SAY_EVERY = 60.0
_TRACEPARENT = "traceparent"
_KINDS = {
    Work.REQUEST: trace.SpanKind.SERVER,
    Work.WAKE: trace.SpanKind.PRODUCER,
    Work.SLICE: trace.SpanKind.CONSUMER,
    Work.FETCH: trace.SpanKind.CLIENT,
}
#: Between our own processes, whatever propagators the operator chose for callers.
_ours = TraceContextTextMapPropagator()


class OtelSpan:
    """See `ports.tracing.Span`."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def recording(self) -> bool:
        """See the port."""
        return self._span.is_recording()

    @property
    def traceparent(self) -> str | None:
        """See the port."""
        return _traceparent_of(self._span)

    def tell(self, facts: Facts) -> None:
        """See the port."""
        self._span.set_attributes(facts)

    def fail(self, reason: str) -> None:
        """See the port."""
        self._span.set_status(trace.StatusCode.ERROR, reason)

    def rename(self, name: str) -> None:
        """See the port."""
        self._span.update_name(name)

    def past(self, work: Work, name: str, facts: Facts, seconds: float, failure: str | None) -> None:
        """See the port."""
        ended = time.time_ns()
        span = self._tracer.start_span(
            name,
            trace.set_span_in_context(self._span),
            _KINDS[work],
            facts,
            start_time=ended - int(seconds * 1e9),
        )
        if failure is not None:
            span.set_status(trace.StatusCode.ERROR, failure)
        span.end(ended)


class OtelTracer:
    """See `ports.tracing.Tracer`. Spans are handed to a thread that sends them; more than it can send are dropped."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("scrapemaster", __version__)

    @property
    def traceparent(self) -> str | None:
        """See the port."""
        return _traceparent_of(trace.get_current_span())

    @contextmanager
    def span(
        self,
        work: Work,
        name: str,
        facts: Facts,
        *,
        caller: Mapping[str, str] | None = None,
        within: str | None = None,
        follows: str | None = None,
    ) -> Iterator[OtelSpan]:
        """See the port."""
        parent: Context | None = None
        if caller is not None:
            parent = propagate.extract(caller)
        elif within is not None:
            parent = _context_of(within)
        elif follows is not None:
            parent = Context()
        links = []
        if follows is not None:
            linked = trace.get_current_span(_context_of(follows)).get_span_context()
            links = [trace.Link(linked)] if linked.is_valid else []
        with self._tracer.start_as_current_span(
            name, parent, _KINDS[work], facts, links, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield OtelSpan(self._tracer, span)
            except Exception as error:
                # Only its name: what an error says may be a stranger's or a secret.
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise


@contextmanager
def otel_tracer(endpoint: str, role: str) -> Iterator[OtelTracer]:
    """A tracer that sends to a collector's endpoint; `role` is what this process is. Never waits for the collector, but half a second at the end.

    No provider is set for the whole process: libraries with instruments of their own, such as docket, add no spans.
    """
    logging.getLogger(OTLPSpanExporter.__module__).addFilter(_Seldom())
    provider = TracerProvider(resource=_resource(role), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(traces_url(endpoint))))
    try:
        yield OtelTracer(provider)
    finally:
        # The library would wait for half a minute where nobody answers.
        flush = threading.Thread(target=provider.shutdown, daemon=True)
        flush.start()
        flush.join(_FLUSH_SECONDS)


class _Seldom(logging.Filter):
    """Lets a line through now and then: the exporter says of every try that it failed."""

    def __init__(self) -> None:
        super().__init__()
        self._next_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging`."""
        if record.created < self._next_at:
            return False
        self._next_at = record.created + _SAY_EVERY
        return True


def traces_url(endpoint: str) -> str:
    """Where traces go, for the base URL of a collector or this URL itself."""
    base = endpoint.rstrip("/")
    return base if base.endswith(_TRACES_PATH) else base + _TRACES_PATH


def _traceparent_of(span: trace.Span) -> str | None:
    carrier: dict[str, str] = {}
    _ours.inject(carrier, trace.set_span_in_context(span))
    return carrier.get(_TRACEPARENT)


def _context_of(traceparent: str) -> Context:
    return _ours.extract({_TRACEPARENT: traceparent}, Context())


def _resource(role: str) -> Resource:
    ours: dict[str, AttributeValue] = {
        SERVICE_NAME: "scrapemaster",
        "service.version": __version__,
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        "scrapemaster.role": role,
    }
    given = Resource.create().attributes
    # What the operator set goes first; the library makes a name up where nobody gave one.
    named = not str(given.get(SERVICE_NAME, "")).startswith("unknown_service")
    return Resource.create({**ours, **{k: v for k, v in given.items() if k != SERVICE_NAME or named}})
