"""Crawlers over one site, in turns, each on the same core, each answer checked whole."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.environment import NODE_FOLDER, PYTHON, ROOT
from benchmarks.processes import Meter
from benchmarks.service import Service
from benchmarks.website import Site, Tally

#: The crawler has one core, the site the other.
CRAWLER_CORE = 0
SERVER_CORE = 1
CONCURRENCY = 32
OURS = "ScrapeMaster, whole service"
OURS_SCRAPY = "ScrapeMaster, engine scrapy"
HANDWRITTEN = "hand-written wreq + lexbor"
SCRAPY = "Scrapy, tuned"
SCRAPLING = "Scrapling's spider"
CRAWLEE_PYTHON = "Crawlee for Python"
CRAWLEE_JS = "Crawlee for JavaScript"
RAW = "raw sockets + lexbor"
WRK = "wrk (fetches alone)"
#: Seconds after which a crawler is given up.
_TOO_LONG = 3_600
_WRK_SECONDS = 3


class Missing(RuntimeError):
    """A peer that is not installed; the message says what brings it."""


@dataclass(frozen=True)
class Run:
    """One crawl. `cpu` in seconds, `memory` at its peak in MB, both of the crawler alone, with all its processes."""

    pages: int
    seconds: float
    cpu: float
    memory: float

    @property
    def rate(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds


@dataclass(frozen=True)
class Measured:
    """A crawler's runs over one site, or why it has none."""

    name: str
    runs: list[Run] = field(default_factory=list)
    missing: str | None = None

    @property
    def rate(self) -> float:
        """The median of its pages a second; 0 if it was missing."""
        return statistics.median(run.rate for run in self.runs) if self.runs else 0.0

    @property
    def cpu_ms(self) -> float:
        """The median of its processor time for a page, in milliseconds."""
        return statistics.median(1e3 * run.cpu / run.pages for run in self.runs) if self.runs else 0.0

    @property
    def memory(self) -> float:
        """The most memory of any run, in MB."""
        return max((run.memory for run in self.runs), default=0.0)


Crawler = Callable[[Site], Run]


def ours(site: Site, *, engine: str = "http", **settings: str) -> Run:
    """Crawl through the whole service, rows durable; from the job's `started_at` to its `finished_at`."""
    with Service(None, CRAWLER_CORE, None, **settings) as service:
        return crawl_with(service, site, engine=engine)


def crawl_with(service: Service, site: Site, *, engine: str = "http") -> Run:
    """As `ours`, on a service that runs."""
    with Meter(service.pid) as meter:
        job = service.finished(service.create(**order_of(site, engine))["id"], _TOO_LONG)
    check_ours(service, site, job)
    return Run(job["pages_fetched"], seconds_of(job), meter.cpu, meter.peak)


def order_of(site: Site, engine: str = "http") -> dict[str, Any]:
    """The job that crawls a site."""
    config: dict[str, Any] = {"follow_links": True, "max_pages": 10_000_000, "concurrency": CONCURRENCY}
    if site.item is not None:
        config["item"] = site.item
    return {"urls": site.urls, "engine": engine, "selectors": site.selectors, "config": config}


def check_ours(service: Service, site: Site, job: Mapping[str, Any]) -> None:
    """Raise unless the job has every row, each once and as it should be."""
    if job["status"] != "completed" or job["pages_fetched"] != site.pages:
        raise SystemExit(f"our crawl of the {site.name} is not complete: {job}")
    _check(OURS, site, Tally.of(_rows_of(service, job["id"], next(iter(site.fields)))))


def _rows_of(service: Service, job_id: str, name: str) -> Iterator[tuple[str, str | None]]:
    where: dict[str, str | int] = {"limit": 1000}
    while True:
        answer = service.http.get(f"{service.base}/results/{job_id}", params=where, timeout=60)
        answer.raise_for_status()
        page = answer.json()
        for row in page["results"]:
            yield row["url"], row["data"].get(name)
        if page["next"] is None:
            return
        where["cursor"] = page["next"]


def seconds_of(job: Mapping[str, Any]) -> float:
    """From start to end."""
    begin, end = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return (end - begin).total_seconds()


def _check(name: str, site: Site, tally: Tally) -> None:
    if tally != site.tally:
        raise SystemExit(
            f"{name}: the rows of the {site.name} are not what they should be: {tally}, not {site.tally}"
        )


def peer(name: str, command: Sequence[str], site: Site) -> Run:
    """Run a peer in a process of its own, which prints its figures, and check the rows that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        rows, order = Path(folder) / "rows", Path(folder) / "order.json"
        order.write_text(
            json.dumps(
                {
                    "urls": site.urls,
                    "prefix": site.prefix,
                    "item": site.item,
                    "fields": dict(site.fields),
                    "rows": str(rows),
                    "concurrency": CONCURRENCY,
                }
            )
        )
        place = [order if part == "ORDER" else part for part in command]
        with (
            subprocess.Popen(
                ["taskset", "-c", str(CRAWLER_CORE), *map(str, place)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            ) as process,
            Meter(process.pid) as meter,
        ):
            out, errors = process.communicate(timeout=_TOO_LONG)
        if process.returncode or not out.strip():
            raise SystemExit(f"{name} ended with code {process.returncode}: {errors[-2_000:]}")
        figures = json.loads(out.splitlines()[-1])
        first = next(iter(site.fields))
        with rows.open() as lines:
            tally = Tally.of((row["url"], row[first]) for row in map(json.loads, lines))
    if figures["pages"] != site.pages:
        raise SystemExit(f"{name} got {figures['pages']} of the {site.pages} pages of the {site.name}")
    _check(name, site, tally)
    return Run(figures["pages"], figures["seconds"], figures["cpu"], meter.peak)


def _in_ours(module: str) -> Callable[[], Sequence[str]]:
    return lambda: (sys.executable, "-W", "ignore", "-m", f"benchmarks.peers.{module}", "ORDER")


def _in_bench(module: str, package: str) -> Callable[[], Sequence[str]]:
    def command() -> Sequence[str]:
        found = PYTHON.exists() and subprocess.run(
            [
                PYTHON,
                "-c",
                f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)",
            ],
            check=False,
        )
        if not found or found.returncode:
            raise Missing(f"{package} is not installed: python -m benchmarks.environment")
        return (str(PYTHON), "-W", "ignore", "-m", f"benchmarks.peers.{module}", "ORDER")

    return command


def _in_node() -> Sequence[str]:
    node = shutil.which("node")
    if node is None:
        raise Missing("Node is not installed: apt-get install nodejs npm")
    if not (NODE_FOLDER / "node_modules" / "crawlee").is_dir():
        raise Missing("crawlee is not installed: python -m benchmarks.environment")
    program = Path(__file__).parent / "peers" / "crawlee_cheerio.mjs"
    return (node, str(program), "ORDER", str(NODE_FOLDER))


#: Who is started how. Raises `Missing`.
PEERS: Mapping[str, Callable[[], Sequence[str]]] = {
    HANDWRITTEN: _in_ours("handwritten"),
    SCRAPY: _in_ours("scrapy_tuned"),
    SCRAPLING: _in_bench("scrapling_spider", "scrapling"),
    CRAWLEE_PYTHON: _in_bench("crawlee_parsel", "crawlee"),
    CRAWLEE_JS: _in_node,
    RAW: _in_ours("raw_sockets"),
}


def race(site: Site, names: Sequence[str], repeats: int) -> list[Measured]:
    """Run everybody `repeats` times, in turns, and check that all got every page. Who is missing is told and left out."""
    measured = {name: Measured(name) for name in (OURS, *names)}
    crawlers: dict[str, Crawler] = {OURS: ours}
    for name in names:
        try:
            crawlers[name] = _crawler(name)
        except Missing as why:
            measured[name] = replace(measured[name], missing=str(why))
            print(f"  {name}: missing: {why}", flush=True)
    for _ in range(repeats):
        for name, crawl in crawlers.items():
            run = crawl(site)
            measured[name].runs.append(run)
            print(f"  {name}: {run.pages:,} pages, {run.rate:,.0f} pages/s", flush=True)
    return list(measured.values())


def _crawler(name: str) -> Crawler:
    if name == WRK:
        return wrk()
    if name == OURS_SCRAPY:
        return lambda site: ours(site, engine="scrapy")
    command = PEERS[name]()
    return lambda site: peer(name, command, site)


def wrk() -> Crawler:
    """What the server can give: wrk on the crawler's core fetches the site's pages in turns and reads none."""
    program = shutil.which("wrk")
    if program is None:
        raise Missing("wrk is not installed: apt-get install wrk")

    def crawl(site: Site) -> Run:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "paths.lua"
            script.write_text(
                f"local paths, at = {{{','.join(json.dumps(path) for path in site.sample)}}}, 0\n"
                "request = function() at = at % #paths + 1; return wrk.format(nil, paths[at]) end\n"
            )
            command = ["taskset", "-c", str(CRAWLER_CORE), program, "-t", "1", "-c", str(CONCURRENCY)]
            command += ["-d", f"{_WRK_SECONDS}s", "-s", str(script), site.urls[0]]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
            raise SystemExit(f"wrk met errors on the {site.name}: {done.stdout}")
        rate = float(done.stdout.partition("Requests/sec:")[2].split()[0])
        return Run(round(rate * _WRK_SECONDS), _WRK_SECONDS, 0.0, 0.0)

    return crawl
