"""What a page costs by stage, from the code that does it in the service, one stage at a time: `python -m benchmarks --only cost`."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvloop

from benchmarks.documents import POSTGRESQL, PYTHON, served
from benchmarks.made_sites import decimal_tree
from benchmarks.options import Options
from benchmarks.race import CONCURRENCY, SERVER_CORE, ours
from benchmarks.report import Section, Table
from benchmarks.website import Site
from scrapemaster.api.routers.results import page as results_route
from scrapemaster.crawl.extraction import encode_item
from scrapemaster.crawl.links import LinkFinder
from scrapemaster.crawl.scope import Scope
from scrapemaster.domain.errors import PageError
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig, JobStatus
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.page import Page
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.url import host_of
from scrapemaster.engines.http import HttpEngine
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle
from scrapemaster.services.results import ResultService
from scrapemaster.storage.sqlite import SqliteStore

#: Pages whose outcomes are committed together, as a slice does at full speed.
_BATCH = 250
_ROWS = 1_000
STAGES = ("fetch", "parse + extract", "links", "frontier insert", "lease + commit", "results, read once")


@dataclass
class Cost:
    """Milliseconds of processor time for a page, by stage; all threads of the process count, and the kernel's part.

    `bytes_in` a page is downloaded as; `frontier_bytes` and `row_bytes` are what it adds to the database (its links that are new; its row and what
    is kept of it), `out_bytes` its row as the API sends it. `whole` is what a page costs in the whole service, all processes.
    """

    site: str
    pages: int
    milliseconds: dict[str, float] = field(default_factory=dict)
    bytes_in: float = 0.0
    frontier_bytes: float = 0.0
    row_bytes: float = 0.0
    out_bytes: float = 0.0
    whole: float = 0.0


def _job(site: Site) -> Job:
    return Job(
        id=new_job_id(),
        owner=UserId("benchmark"),
        urls=site.urls,
        selectors=parse_selectors(site.selectors),
        config=JobConfig(max_pages=10_000_000, follow_links=True, concurrency=CONCURRENCY),
        created_at=time.time(),
    )


async def _pages_of(job: Job, cost: Cost, site: Site) -> list[Page]:
    """Fetch all pages, links and all; only the fetching is measured: a second time, when every URL is known."""
    engine = HttpEngine(EgressPolicy([ip_network("127.0.0.0/8")]), Throttle(CONCURRENCY))
    source = engine.open(job)
    finder, plan = _finder(job), compile_plan(job.selectors)
    known, at = list(site.urls), 0
    while at < len(known):
        some = known[at : at + CONCURRENCY]
        at += len(some)
        for page in await asyncio.gather(*(_fetched(source, url) for url in some)):
            if page is not None:
                document = plan.open(page.body, page.url, page.headers.get("content-type", ""))
                known += [new.url for new in finder.find(document.base_url, document.links(), 0)]
    pages: list[Page] = []
    waiting = iter(known)

    async def lane() -> None:
        for url in waiting:
            page = await _fetched(source, url)
            if page is not None:
                pages.append(page)

    began = time.process_time()
    await asyncio.gather(*(lane() for _ in range(CONCURRENCY)))
    cost.milliseconds["fetch"] = 1e3 * (time.process_time() - began) / len(pages)
    await source.close()
    await engine.close()
    return pages


async def _fetched(source: Any, url: str) -> Page | None:
    """The page, if it is one with links."""
    try:
        page: Page = await source.fetch(url)
    except PageError:
        return None
    return page if page.content_type == "text/html" else None


def _finder(job: Job) -> LinkFinder:
    return LinkFinder(Scope({host_of(url) for url in job.urls}, (), ()), None, sort_query=False)


def _work(job: Job, pages: Sequence[Page], cost: Cost) -> tuple[list[list[bytes]], list[list[NewRequest]]]:
    """Rows and new links of all pages, in the order in which a crawl meets them."""
    plan, finder = compile_plan(job.selectors), _finder(job)
    rows, links = [], []
    extracting = linking = 0.0
    for page in pages:
        began = time.process_time()
        document = plan.open(page.body, page.url, page.headers.get("content-type", ""))
        rows.append([encode_item(item) for item in plan.extract(document).items])
        parsed = time.process_time()
        links.append(finder.find(document.base_url, document.links(), 0))
        linking += time.process_time() - parsed
        extracting += parsed - began
    cost.milliseconds["parse + extract"] = 1e3 * extracting / len(pages)
    cost.milliseconds["links"] = 1e3 * linking / len(pages)
    return rows, links


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.db"))


async def _store(
    job: Job,
    pages: Sequence[Page],
    rows: Sequence[Sequence[bytes]],
    links: Sequence[Sequence[NewRequest]],
    cost: Cost,
) -> None:
    """Insert the links, commit the rows, read the rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = SqliteStore(folder / "cost.db")
        await store.open()
        await store.jobs.add(job, [NewRequest.of(url, 0) for url in job.urls])
        await store.jobs.transition(job.id, JobStatus.RUNNING, now=time.time())
        await store.close()
        empty = _size(folder)
        await store.open()
        began = time.process_time()
        for at in range(0, len(links), _BATCH):
            await store.frontier.add(job.id, [one for some in links[at : at + _BATCH] for one in some])
        cost.milliseconds["frontier insert"] = 1e3 * (time.process_time() - began) / len(pages)
        await store.close()
        known = _size(folder)
        await store.open()
        await _commit(store, job, pages, rows, cost)
        await _read(store, job, len(pages), cost)
        await store.close()
        cost.frontier_bytes = (known - empty) / len(pages)
        cost.row_bytes = (_size(folder) - known) / len(pages)


async def _commit(
    store: SqliteStore, job: Job, pages: Sequence[Page], rows: Sequence[Sequence[bytes]], cost: Cost
) -> None:
    spent, done = 0.0, 0
    while True:
        began = time.process_time()
        leased = await store.frontier.lease(job.id, "cost", _BATCH, 60, now=time.time())
        spent += time.process_time() - began
        if not leased:
            break
        outcomes = [
            Outcome(
                request=one,
                verdict=Verdict.HANDLED,
                url=one.url,
                items=rows[(done + place) % len(rows)],
                links=[],
                status=200,
                body_bytes=len(pages[(done + place) % len(pages)].body),
                fetched_at=time.time(),
            )
            for place, one in enumerate(leased)
        ]
        began = time.process_time()
        await store.frontier.commit(job.id, "cost", outcomes)
        spent += time.process_time() - began
        done += len(leased)
    cost.milliseconds["lease + commit"] = 1e3 * spent / done


async def _read(store: SqliteStore, job: Job, pages: int, cost: Cost) -> None:
    """All rows, by the API's own route, without the HTTP around it."""
    app: Any = SimpleNamespace(results=ResultService(store))
    caller: Any = SimpleNamespace(sees=None)
    size, at = 0, 0
    began = time.process_time()
    while at < pages:
        answer = await results_route(
            job_id=job.id, caller=caller, app=app, skip=at, limit=_ROWS, cursor=None, q=None
        )
        size += len(answer.body)
        at += _ROWS
    cost.milliseconds["results, read once"] = 1e3 * (time.process_time() - began) / pages
    cost.out_bytes = size / pages


async def _measure(site: Site) -> Cost:
    job = _job(site)
    cost = Cost(site.name, site.pages)
    pages = await _pages_of(job, cost, site)
    cost.bytes_in = sum(len(page.body) for page in pages) / len(pages)
    rows, links = _work(job, pages, cost)
    await _store(job, pages, rows, links, cost)
    return cost


def table(costs: Sequence[Cost]) -> Table:
    """The table of docs/performance.md."""

    def line(name: str, values: Sequence[float], digits: int) -> list[str]:
        return [name, *(f"{value:,.{digits}f}" for value in values)]

    return Table(
        ("a page of …", *(cost.site for cost in costs)),
        [
            *(line(f"{stage}, ms", [cost.milliseconds[stage] for cost in costs], 3) for stage in STAGES),
            line("sum of these, ms", [sum(cost.milliseconds.values()) for cost in costs], 3),
            line("whole service, all processes, ms (without reading)", [cost.whole for cost in costs], 3),
            line("downloaded, bytes", [cost.bytes_in for cost in costs], 0),
            line("frontier in the database, bytes", [cost.frontier_bytes for cost in costs], 0),
            line("row in the database, bytes", [cost.row_bytes for cost in costs], 0),
            line("row as the API sends it, bytes", [cost.out_bytes for cost in costs], 0),
        ],
    )


def cost(options: Options) -> Section:
    """The stages over three kinds of page."""
    sites: list[AbstractContextManager[Site]] = [
        decimal_tree(options.size(3, 4), SERVER_CORE),
        served(POSTGRESQL, options.size(1, 4), SERVER_CORE),
        served(PYTHON, options.size(1, 2), SERVER_CORE),
    ]
    costs = []
    for opened in sites:
        with opened as site:
            one = uvloop.run(_measure(site))
            run = ours(site)
            one.whole = 1e3 * run.cpu / run.pages
        costs.append(one)
        print(f"  {one}", flush=True)
    return Section(
        "What a page costs, by stage",
        "Processor time of the service's own code, one stage after the other in one process, over all pages of a site; and what a page costs in the whole "
        "service, where all of it runs together, is scheduled, watched and told to clients.",
        [table(costs)],
        data=[asdict(one) for one in costs],
    )
