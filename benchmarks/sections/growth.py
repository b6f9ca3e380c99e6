"""A decimal tree of up to 1.1 million pages: whether speed, memory, restarts and reading hold as a job grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from benchmarks.made_sites import decimal_tree
from benchmarks.options import Options
from benchmarks.plot import Lines
from benchmarks.processes import Meter
from benchmarks.race import (
    CRAWLER_CORE,
    PEERS,
    SERVER_CORE,
    WRK,
    check_ours,
    order_of,
    race,
    seconds_of,
)
from benchmarks.report import Section, Table, Target
from benchmarks.sections.races import section
from benchmarks.service import TERMINAL, Service
from benchmarks.website import Site

#: Seconds between two looks at a job.
_EVERY = 0.1
#: Pages of rows that are read at each depth.
_READS = 20
_PAGE = 1_000


@dataclass(frozen=True)
class Grown:
    """One crawl of a tree. `tenths`: pages a second of each tenth of its pages; `deep_ms` by depth: a page of 1,000 rows.

    `restart`: seconds from the start of a service that was killed to the first page after, with `known` requests in its job; `ready` to when it
    can serve.
    """

    pages: int
    seconds: float
    tenths: list[float]
    cpu_ms: float
    peak: float
    database: float
    first_ms: float
    deep_ms: float
    skip_ms: float
    known: int
    ready: float
    restart: float


def tenths_of(seen: Sequence[tuple[float, int]]) -> list[float]:
    """Pages a second in each tenth, from looks at a job: (seconds, pages so far), between which pages came evenly."""
    total = seen[-1][1]
    marks = []
    at = 0
    for tenth in range(11):
        wanted = total * tenth / 10
        while at + 1 < len(seen) - 1 and seen[at + 1][1] < wanted:
            at += 1
        (t0, n0), (t1, n1) = seen[at], seen[at + 1]
        marks.append(t0 + (t1 - t0) * (wanted - n0) / max(1, n1 - n0))
    return [total / 10 / max(1e-9, after - before) for before, after in pairwise(marks)]


def _crawl(service: Service, site: Site) -> tuple[dict[str, Any], list[tuple[float, int]]]:
    """Crawl a site; the job, and how many pages it had when."""
    job = service.create(**order_of(site))
    seen = [(time.monotonic(), 0)]
    while job["status"] not in TERMINAL:
        time.sleep(_EVERY)
        job = service.job(job["id"])
        if job["pages_fetched"] > seen[-1][1]:
            seen.append((time.monotonic(), job["pages_fetched"]))
        elif seen[-1][1] == 0:
            seen = [(time.monotonic(), 0)]
    return job, seen


def _read_ms(service: Service, job: str, **where: int) -> float:
    """Milliseconds for a page of rows, the median of some."""
    took = []
    for _ in range(_READS):
        began = time.monotonic()
        answer = service.http.get(
            f"{service.base}/results/{job}", params={"limit": _PAGE, **where}, timeout=60
        )
        answer.raise_for_status()
        took.append(1e3 * (time.monotonic() - began))
    return statistics.median(took)


def _restarted(service: Service, site: Site, known: int) -> tuple[int, float, float]:
    """Kill a service whose job knows so many requests, and start it: requests known, seconds until ready, until the next page."""
    job = service.create(**order_of(site))["id"]
    while (now := service.job(job))["pages_discovered"] < known and now["status"] not in TERMINAL:
        time.sleep(_EVERY)
    service.kill()
    began = time.monotonic()
    service.start()
    ready = time.monotonic() - began
    fetched = service.job(job)["pages_fetched"]
    while (now := service.job(job))["pages_fetched"] <= fetched and now["status"] not in TERMINAL:
        time.sleep(0.01)
    took = time.monotonic() - began
    if now["status"] not in TERMINAL:
        service.act(job, "cancel")
    return int(now["pages_discovered"]), ready, took


def grow(digits: int) -> Grown:
    """Crawl a tree of so many digits to its end, read its rows, then kill another crawl of it in the middle."""
    with decimal_tree(digits, SERVER_CORE) as site, Service(core=CRAWLER_CORE) as service:
        with Meter(service.pid) as meter:
            job, seen = _crawl(service, site)
        size = sum(file.stat().st_size for file in service.data_dir.glob("scrapemaster.db*")) / 1e6
        deep = max(0, site.pages - 2 * _PAGE)
        first_ms = _read_ms(service, job["id"])
        deep_ms = _read_ms(service, job["id"], cursor=deep)
        skip_ms = _read_ms(service, job["id"], skip=deep)
        check_ours(service, site, job)
        known, ready, restart = _restarted(service, site, round(0.9 * site.pages))
        return Grown(
            pages=site.pages,
            seconds=seconds_of(job),
            tenths=tenths_of(seen),
            cpu_ms=1e3 * meter.cpu / site.pages,
            peak=meter.peak,
            database=size,
            first_ms=first_ms,
            deep_ms=deep_ms,
            skip_ms=skip_ms,
            known=known,
            ready=ready,
            restart=restart,
        )


def growth(options: Options) -> Section:
    """Trees of growing size, each by a service of its own; the smallest also by peers."""
    sizes = (3, 4) if options.quick else (4, 5, 6)
    with decimal_tree(sizes[0], SERVER_CORE) as site:
        figures = race(site, (*PEERS, WRK), options.repeats)
    beside = section("The small tree, with peers", site, figures, "tree-peers.svg", {})
    grown = []
    for digits in sizes:
        grown.append(grow(digits))
        print(f"  {grown[-1]}", flush=True)
    whole = not options.quick
    last, first = grown[-1], grown[0]
    table = Table(
        ("pages", *(f"{one.pages:,}" for one in grown)),
        [
            ["pages/s, whole crawl", *(f"{one.pages / one.seconds:,.0f}" for one in grown)],
            ["pages/s, first tenth", *(f"{one.tenths[0]:,.0f}" for one in grown)],
            ["pages/s, last tenth", *(f"{one.tenths[-1]:,.0f}" for one in grown)],
            ["CPU, ms a page", *(f"{one.cpu_ms:.3f}" for one in grown)],
            ["peak memory of all processes, MB", *(f"{one.peak:,.0f}" for one in grown)],
            ["database, bytes a page", *(f"{1e6 * one.database / one.pages:,.0f}" for one in grown)],
            ["first page of 1,000 rows, ms", *(f"{one.first_ms:.1f}" for one in grown)],
            ["last page but one, by cursor, ms", *(f"{one.deep_ms:.1f}" for one in grown)],
            ["last page but one, by `skip`, ms", *(f"{one.skip_ms:.1f}" for one in grown)],
            ["requests known when killed (`kill -9`)", *(f"{one.known:,}" for one in grown)],
            ["start after that: ready after, s", *(f"{one.ready:.2f}" for one in grown)],
            ["start after that: next page after, s", *(f"{one.restart:.2f}" for one in grown)],
        ],
    )
    name = f"{last.pages:,}-page tree"
    return Section(
        "A decimal tree: how a crawl grows",
        f"Each page links to ten more; nginx makes them from nothing. {beside.text}",
        [*beside.tables, table],
        [
            Target(f"{name}: peak memory of the service, MB", last.peak if whole else None, 400, most=True),
            Target(
                f"{name}: pages/s of the last tenth / the first",
                last.tenths[-1] / last.tenths[0] if whole else None,
                0.8,
            ),
            Target(
                f"{name}: CPU a page / that of {first.pages:,} pages",
                last.cpu_ms / first.cpu_ms if whole else None,
                1.25,
                most=True,
            ),
            Target(
                f"restart with {last.known:,} known requests, s",
                last.restart if whole else None,
                3.0,
                most=True,
            ),
            Target(
                f"{name}: a deep page of rows / the first, time",
                last.deep_ms / last.first_ms if whole else None,
                1.25,
                most=True,
            ),
        ],
        [
            *beside.plots,
            Lines(
                "Pages a second by tenth of the crawl",
                "tree-tenths.svg",
                {f"{one.pages:,} pages": one.tenths for one in grown},
                "tenth of the crawl",
            ),
        ],
        {"peers": beside.data, "grown": [asdict(one) for one in grown]},
    )
