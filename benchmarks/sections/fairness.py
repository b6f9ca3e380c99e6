"""Many jobs at once, and whether each gets its share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.made_sites import many_hosts
from benchmarks.options import Options
from benchmarks.race import CRAWLER_CORE, SERVER_CORE
from benchmarks.report import Section, Table, Target
from benchmarks.service import TERMINAL, Service

#: Pages of each job.
_PAGES = 100


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: 1 when all are equal, 1/n when one has everything (Jain, Chiu and Hawe, 1984)."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _jobs(service: Service, count: int) -> Iterator[dict[str, Any]]:
    """All jobs as they are, in as few requests as it goes."""
    for skip in range(0, count, 100):
        answer = service.http.get(f"{service.base}/jobs", params={"skip": skip, "limit": 100}, timeout=60)
        answer.raise_for_status()
        yield from answer.json()


def fairness(options: Options) -> Section:
    """As many jobs as hosts, all made before the first page is asked for as far as that goes, of equal size."""
    count = options.size(60, 1_000)
    with many_hosts(count, _PAGES, SERVER_CORE) as site, Service(core=CRAWLER_CORE) as service:
        for url in site.urls:
            service.create(
                url=url,
                selectors=site.selectors,
                config={"follow_links": True, "max_pages": _PAGES, "concurrency": 8},
            )
        created = time.monotonic()
        half: list[int] = []
        first_page: dict[str, float] = {}
        while True:
            now = time.monotonic()
            jobs = list(_jobs(service, count))
            done = [job["pages_fetched"] for job in jobs]
            for job in jobs:
                if job["pages_fetched"]:
                    first_page.setdefault(job["id"], now - created)
            if not half and sum(done) >= count * _PAGES / 2:
                half = done
            if all(job["status"] in TERMINAL for job in jobs):
                break
            time.sleep(0.2)
        seconds = time.monotonic() - created
        bad = [job for job in jobs if job["status"] != "completed" or job["pages_fetched"] != _PAGES]
        if bad:
            raise SystemExit(f"{len(bad)} of {count} jobs are not complete, such as {bad[0]}")
    low, middle, high = min(half), statistics.median(half), max(half)
    began = sorted(first_page.values())
    table = Table(
        ("figure", "value"),
        [
            ["jobs", f"{count:,}"],
            ["pages of each", f"{_PAGES}"],
            ["seconds from the last order to the end of all", f"{seconds:.1f}"],
            [
                "when half of all pages were there: least, median, most pages of a job",
                f"{low}, {middle:g}, {high}",
            ],
            ["Jain's index then (1: all alike)", f"{jain([float(one) for one in half]):.3f}"],
            ["last job seen with a page, seconds after the last order", f"{began[-1]:.1f}"],
        ],
    )
    return Section(
        f"{count:,} jobs at once",
        "Each crawls a host of its own. Jobs take turns by slices.",
        [table],
        [
            Target(
                "jobs at once: Jain's index of their pages when half are there",
                jain([float(one) for one in half]),
                0.9,
            )
        ],
        data={"half": half, "seconds": seconds, "first_page": began},
    )
