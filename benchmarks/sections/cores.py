"""A fleet with a crawler on each of two cores, beside one core."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from benchmarks.documents import POSTGRESQL, served
from benchmarks.manual_server import free_port, wait_for_port
from benchmarks.options import Options
from benchmarks.parsing import scaling
from benchmarks.race import CRAWLER_CORE, SERVER_CORE, Run, crawl_with
from benchmarks.report import Section, Table, Target
from benchmarks.service import Service
from benchmarks.website import Site
from scrapemaster.fleet.throttle import GRANT_SECONDS

#: Name → the core of the service (None: any), the core of the site, and how many crawlers there are; 0: not a fleet.
_WAYS: dict[str, tuple[int | None, int | None, int]] = {
    "embedded, one core; the site on the other": (CRAWLER_CORE, SERVER_CORE, 0),
    "fleet of one crawler, one core; the site on the other": (CRAWLER_CORE, SERVER_CORE, 1),
    "fleet of one crawler, one core, which the site is on too": (CRAWLER_CORE, CRAWLER_CORE, 1),
    "fleet of two crawlers, both cores, which the site is on too": (None, None, 2),
}
_ONE, _ONE_WITH_SITE, _TWO = list(_WAYS)[1:]


@contextmanager
def _redis() -> Iterator[str]:
    """A Redis that keeps nothing, on the core of neither."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


def _crawl(site: Site, core: int | None, workers: int) -> Run:
    if not workers:
        with Service(core=core) as service:
            return crawl_with(service, site)
    with (
        _redis() as address,
        Service(
            core=core,
            command=("all", "--workers", str(workers)),
            SCRAPEMASTER_REDIS_URL=address,
            SCRAPEMASTER_HOST_CONCURRENCY="64",
        ) as service,
    ):
        while len(service.http.get(f"{service.base}/monitoring/workers", timeout=10).json()) < workers:
            time.sleep(0.05)
        # A Redis that remembers nothing grants nothing before; no start is measured here.
        time.sleep(GRANT_SECONDS)
        return crawl_with(service, site)


def cores(options: Options) -> Section:
    """The same manual on one core and on two."""
    title = "Two cores beside one"
    if shutil.which("redis-server") is None:
        return Section(title, "Not measured: redis-server is missing (`apt-get install redis-server`).")
    runs: dict[str, list[Run]] = {name: [] for name in _WAYS}
    most: list[float] = []
    for _ in range(options.repeats):
        for name, (core, site_core, workers) in _WAYS.items():
            with served(POSTGRESQL, options.copies or options.size(1, 24), site_core) as site:
                runs[name].append(_crawl(site, core, workers))
            print(f"  {name}: {runs[name][-1].rate:,.0f} pages/s", flush=True)
        most.append(scaling(POSTGRESQL.folder, (CRAWLER_CORE, SERVER_CORE)))
        print(f"  two cores of this machine are {most[-1]:.2f} of one", flush=True)
    rates = {name: statistics.median(run.rate for run in some) for name, some in runs.items()}
    rows = [
        [
            name,
            f"{rates[name]:,.0f}",
            f"{rates[name] / rates[_ONE]:.2f}",
            f"{rates[name] / rates[_ONE_WITH_SITE]:.2f}",
            f"{statistics.median(1e3 * run.cpu / run.pages for run in some):.2f}",
        ]
        for name, some in runs.items()
    ]
    columns = ("way", "pages/s, median", "× one core", "× one core that has the site too", "CPU, ms a page")
    return Section(
        title,
        "Processes of a fleet (`scrapemaster all`) over one SQLite file and a Redis, one job. Where the machine has two cores only, the site and Redis take their "
        "part of them: so two cores are set beside one core that carries the site too, and beside one that has another for it.\n\n"
        f"What the machine itself gives: two processes that only parse these pages, one on each core, do {statistics.median(most):.2f} times as much as one alone.",
        [Table(columns, rows)],
        [
            Target(
                "two cores, the site on them / one core, the site on it",
                rates[_TWO] / rates[_ONE_WITH_SITE],
                1.7,
            )
        ],
        data={name: [asdict(run) for run in some] for name, some in runs.items()} | {"machine": most},
    )
