"""Figures for Prometheus: of this process's requests, of the fleet's other API processes, of jobs, and of those who crawl."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scrapemaster import __version__
from scrapemaster.domain.errors import RedisUnavailable
from scrapemaster.domain.worker import COMMIT_BOUNDS, WorkerReport
from scrapemaster.ports.board import Board

log = structlog.get_logger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds by which a process's note to the others may be behind.
_NOTE_AFTER = 1.0
_BASE = "/api/v1"
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})

#: A family as it travels: name, kind, meaning, and samples of name, labels, value.
_Family = tuple[str, str, str, list[tuple[str, dict[str, str], float]]]
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[_Family])


class Metrics:
    """Counts this process's requests, and renders all figures there are."""

    def __init__(self, board: Board | None) -> None:
        self._board = board
        self._note: asyncio.Task[None] | None = None
        # The library looks a series up under a lock, by texts that it makes anew; there are as many as routes and statuses.
        self._series = cache(self._find_series)
        self._process = f"{socket.gethostname()}-{os.getpid()}"
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "scrapemaster_api_requests",
            "Requests answered.",
            ["process", "method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "scrapemaster_api_request_seconds",
            "Seconds until an answer began.",
            ["process", "method", "route"],
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        count, histogram = self._series(method if method in _METHODS else "other", route, status)
        count.inc()
        histogram.observe(seconds)
        if self._board is not None and (self._note is None or self._note.done()):
            self._note = asyncio.create_task(self._put_note(self._board))

    def _find_series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        return (
            self._requests.labels(self._process, method, route, str(status)),
            self._seconds.labels(self._process, method, route),
        )

    async def render(self, jobs: Mapping[str, int], workers: Sequence[WorkerReport]) -> bytes:
        """All figures, as Prometheus reads them."""
        families = [*self._registry.collect(), *_job_families(jobs), *_worker_families(workers)]
        if self._board is not None:
            try:
                notes = await self._board.others()
            except RedisUnavailable as error:
                log.warning("metrics.incomplete", error=str(error))
                notes = []
            families = _merged(families, notes)
        registry = CollectorRegistry()
        registry.register(_Given(families))
        return generate_latest(registry)

    async def _put_note(self, board: Board) -> None:
        await asyncio.sleep(_NOTE_AFTER)
        families: list[_Family] = [
            (
                family.name,
                family.type,
                family.documentation,
                [(sample.name, dict(sample.labels), sample.value) for sample in family.samples],
            )
            for family in self._registry.collect()
        ]
        try:
            await board.put(_encoder.encode(families))
        except RedisUnavailable as error:
            log.debug("metrics.note_lost", error=str(error))


class Measured:
    """Middleware that counts each request, by the template of its route, and the seconds until its answer began."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, asked = time.perf_counter(), scope["path"]  # routing changes the path

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - began
                self._metrics.answered(scope["method"], route_of(scope, asked), message["status"], seconds)
            await send(message)

        await self._app(scope, receive, send_counted)


def route_of(scope: Scope, asked: str) -> str:
    """The template of the route that was taken. Paths that lead nowhere are one: anybody can make up any number of them."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None:
        return "none"
    # A route that was included under a prefix may not know of it.
    return path if path.startswith(_BASE) or not asked.startswith(_BASE) else f"{_BASE}{path}"


class _Given(Collector):
    """Families that are made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """See the library."""
        yield from self._families


def _merged(families: Sequence[Metric], notes: Sequence[bytes]) -> list[Metric]:
    """The families, with the samples that other processes noted."""
    by_name = {family.name: family for family in families}
    for note in notes:
        try:
            noted = _decoder.decode(note)
        except msgspec.DecodeError:
            continue  # another version's
        for name, _kind, _meaning, samples in noted:
            if (family := by_name.get(name)) is not None:
                for sample, labels, value in samples:
                    family.add_sample(sample, labels, value)
    return list(by_name.values())


def _job_families(jobs: Mapping[str, int]) -> Iterator[Metric]:
    build = InfoMetricFamily("scrapemaster_build", "The version that answers.")
    build.add_metric([], {"version": __version__})
    yield build
    by_status = GaugeMetricFamily("scrapemaster_jobs", "Jobs there are, by status.", labels=["status"])
    for status, count in jobs.items():
        by_status.add_metric([status], count)
    yield by_status


def _worker_families(workers: Sequence[WorkerReport]) -> Iterator[Metric]:
    alive = GaugeMetricFamily("scrapemaster_workers", "Crawling processes that gave a sign of life of late.")
    alive.add_metric([], len(workers))
    yield alive
    names = [f"{report.host}-{report.pid}" for report in workers]
    for name, meaning, field in _GAUGES:
        gauge = GaugeMetricFamily(name, meaning, labels=["worker"])
        for worker, report in zip(names, workers, strict=True):
            gauge.add_metric([worker], getattr(report, field))
        yield gauge
    pages = CounterMetricFamily(
        "scrapemaster_worker_pages", "Pages worked on, by outcome.", labels=["worker", "outcome"]
    )
    for worker, report in zip(names, workers, strict=True):
        for outcome in ("handled", "failed", "skipped", "retried"):
            pages.add_metric([worker, outcome], getattr(report.figures, outcome))
    yield pages
    for name, meaning, field in _COUNTERS:
        counter = CounterMetricFamily(name, meaning, labels=["worker"])
        for worker, report in zip(names, workers, strict=True):
            counter.add_metric([worker], getattr(report.figures, field))
        yield counter
    commits = HistogramMetricFamily(
        "scrapemaster_worker_commit_seconds", "Seconds a commit to the store took.", labels=["worker"]
    )
    for worker, report in zip(names, workers, strict=True):
        commits.add_metric([worker], _buckets(report.figures.commits), report.figures.commit_seconds)
    yield commits


_GAUGES = (
    ("scrapemaster_worker_slices_running", "Slices of jobs under way.", "slices"),
    ("scrapemaster_worker_pages_per_second", "Pages a second of late.", "pages_per_second"),
)
_COUNTERS = (
    ("scrapemaster_worker_rows", "Rows extracted and committed.", "rows"),
    ("scrapemaster_worker_bytes", "Bytes of bodies, unpacked.", "bytes"),
    ("scrapemaster_worker_slices", "Slices begun.", "slices"),
    ("scrapemaster_worker_leases", "Requests leased.", "leases"),
    ("scrapemaster_worker_leases_lost", "Commits refused because the leases had ended.", "leases_lost"),
)


def _buckets(counts: Sequence[int]) -> list[Any]:
    """Counts by class, as the cumulative ones that Prometheus wants."""
    total, buckets = 0, []
    for bound, count in zip((*COMMIT_BOUNDS, "+Inf"), counts, strict=True):
        total += count
        buckets.append([str(bound), total])
    return buckets
