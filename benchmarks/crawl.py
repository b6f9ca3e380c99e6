"""One manual, many times over, crawled by us and by peers on one core; the server has the other."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.manual_server import nginx
from benchmarks.service import Service

#: Pages of about 13 KB, written by DocBook.
MANUAL = Path("/usr/share/doc/postgresql-doc-15/html")
#: How often the manual is served, so that a run takes seconds rather than tenths.
COPIES = 8
CRAWLER_CORE = 0
SERVER_CORE = 1


@dataclass(frozen=True)
class Measured:
    """One crawler's figures: the median of its runs."""

    name: str
    pages: int
    pages_per_second: float
    runs: tuple[float, ...]


@contextmanager
def manuals(copies: int = COPIES) -> Iterator[tuple[str, int]]:
    """Serve the copies; yields the start URL and how many pages are reachable from it."""
    if not MANUAL.is_dir():
        raise SystemExit("the manual is not installed: apt-get install postgresql-doc-15")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        names = [f"copy{number}" for number in range(copies)]
        for name in names:
            (root / name).symlink_to(MANUAL)
        links = "".join(f'<li><a href="{name}/index.html">{name}</a></li>' for name in names)
        (root / "index.html").write_text(f"<!doctype html><title>Manuals</title><h2>All</h2><ul>{links}</ul>")
        pages = copies * len(list(MANUAL.glob("*.html"))) + 1
        with nginx(root, SERVER_CORE) as base:
            yield f"{base}/index.html", pages


def peer(module: str, url: str) -> tuple[int, float]:
    """Run a peer in a process of its own; returns pages and seconds."""
    done = subprocess.run(
        ["taskset", "-c", str(CRAWLER_CORE), sys.executable, "-W", "ignore", "-m", module, url],
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    if figures["titles"] != figures["pages"]:
        raise SystemExit(f"{module} lost titles: {figures}")
    return figures["pages"], figures["seconds"]


def ours(url: str, engine: str = "http", **settings: str) -> tuple[int, float]:
    """Crawl through the whole service, rows durable; seconds from `started_at` to `finished_at`."""
    with Service(core=CRAWLER_CORE, **settings) as service:
        job = service.create(
            url=url,
            engine=engine,
            selectors={"title": "title::text", "h2": "h2::text"},
            config={"follow_links": True, "max_pages": 1_000_000, "concurrency": 32},
        )
        job = service.finished(job["id"], 600)
        total = service.http.get(
            f"{service.base}/results/{job['id']}", params={"limit": 1}, timeout=30
        ).json()["total"]
        if job["status"] != "completed" or total != job["pages_fetched"]:
            raise SystemExit(f"our crawl is not complete: {job}")
        return job["pages_fetched"], _seconds(job["started_at"], job["finished_at"])


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def measure(repeats: int, copies: int = COPIES) -> list[Measured]:
    """Run everybody `repeats` times, in turns, and check that all got every page."""
    with manuals(copies) as (url, pages):
        crawlers: dict[str, Callable[[], tuple[int, float]]] = {
            "ScrapeMaster, whole service": lambda: ours(url),
            "ScrapeMaster, whole service, engine scrapy": lambda: ours(url, "scrapy"),
            "hand-written wreq + lexbor": lambda: peer("benchmarks.peers.handwritten", url),
            "Scrapy, tuned": lambda: peer("benchmarks.peers.scrapy_tuned", url),
        }
        rates: dict[str, list[float]] = {name: [] for name in crawlers}
        for _ in range(repeats):
            for name, run in crawlers.items():
                got, seconds = run()
                if got != pages:
                    raise SystemExit(f"{name} got {got} of {pages} pages")
                rates[name].append(got / seconds)
                print(f"  {name}: {got} pages, {got / seconds:,.0f} pages/s", flush=True)
    return [Measured(name, pages, statistics.median(runs), tuple(runs)) for name, runs in rates.items()]
