"""The composition root's part for traces."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from scrapemaster.ports.tracing import Tracer
from scrapemaster.settings import Settings
from scrapemaster.stores import extra_for


@contextlib.contextmanager
def build_tracer(settings: Settings, role: str) -> Iterator[Tracer | None]:
    """What traces in this process, which is an `api`, a `worker` or a `crawler`; None where no endpoint is set. Raises `MissingExtra`."""
    if settings.otel_endpoint is None:
        yield None
        return
    with extra_for("SCRAPEMASTER_OTEL_ENDPOINT", "otel", {"opentelemetry"}):
        from scrapemaster.tracing import otel_tracer  # noqa: PLC0415 -- needs an extra
    with otel_tracer(settings.otel_endpoint, role) as tracer:
        yield tracer
