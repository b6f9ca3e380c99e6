"""How the store's rates hold as a frontier grows: `python -m benchmarks.frontier [--store mongo] [sizes…]`."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import uvloop

from benchmarks.mongo_server import MongoServer, program
from scrapemaster.domain.ids import JobId, UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig, JobStatus
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import Leased, NewRequest
from scrapemaster.ports.store import Store
from scrapemaster.storage.mongo import MongoStore
from scrapemaster.storage.sqlite import SqliteStore

BATCH = 500
MEASURED = 131_072
ITEM = b'{"title":"' + b"x" * 180 + b'"}'


def request(number: int) -> NewRequest:
    """The request for the `number`-th page of a site of any size."""
    return NewRequest.of(f"http://127.0.0.1:8080/section/{number % 1000}/page-{number}.html", 3)


async def insert(store: Store, job: JobId, start: int, count: int) -> float:
    """Seconds to add `count` new requests."""
    batches = [
        [request(number) for number in range(at, min(at + BATCH, start + count))]
        for at in range(start, start + count, BATCH)
    ]
    began = time.perf_counter()
    for batch in batches:
        await store.frontier.add(job, batch)
    return time.perf_counter() - began


def handled(leased: Leased, number: int) -> Outcome:
    """A page with one item and ten links, one of them new."""
    links = [request(number + other * 7) for other in range(9)] + [request(5_000_000 + number)]
    return Outcome(
        request=leased,
        verdict=Verdict.HANDLED,
        url=leased.url,
        items=[ITEM],
        links=links,
        status=200,
        body_bytes=13_000,
        fetched_at=1.0,
    )


async def pages(store: Store, job: JobId, count: int, offset: int) -> tuple[float, float]:
    """Seconds of lease, and of commit, for `count` pages."""
    leasing = committing = 0.0
    done = 0
    while done < count:
        began = time.perf_counter()
        leased = await store.frontier.lease(job, "bench", BATCH, 60, now=time.time())
        leasing += time.perf_counter() - began
        outcomes = [handled(one, offset + done + place) for place, one in enumerate(leased)]
        began = time.perf_counter()
        await store.frontier.commit(job, "bench", outcomes)
        committing += time.perf_counter() - began
        done += len(leased)
    return leasing, committing


async def measure(store: Store, sizes: list[int]) -> None:
    """Grow one job's frontier and measure at each size."""
    job = Job(
        id=new_job_id(),
        owner=UserId("bench"),
        urls=[request(0).url],
        selectors={},
        config=JobConfig(max_pages=10**9, follow_links=True),
        created_at=time.time(),
    )
    await store.jobs.add(job, [request(0)])
    await store.jobs.transition(job.id, JobStatus.RUNNING, now=time.time())
    known, offset = 1, 0  # requests added as such, and those that pages led to
    print("| requests known | inserts/s | known again/s | leases/s | commits/s | pages/s (lease + commit) |")
    print("|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        missing = max(0, size - known - offset)
        await insert(store, job.id, known, missing)
        known += missing
        again = await insert(store, job.id, 0, min(size, MEASURED))
        new = await insert(store, job.id, known, MEASURED)
        known += MEASURED
        leasing, committing = await pages(store, job.id, MEASURED, offset)
        offset += MEASURED
        print(
            f"| {size:,} | {MEASURED / new:,.0f} | {min(size, MEASURED) / again:,.0f} "
            f"| {MEASURED / leasing:,.0f} | {MEASURED / committing:,.0f} | {MEASURED / (leasing + committing):,.0f} |",
            flush=True,
        )


@asynccontextmanager
async def sqlite() -> AsyncIterator[Store]:
    """The SQLite store in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "bench.db")
        await store.open()
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def mongo() -> AsyncIterator[Store]:
    """The MongoDB store, on a server of its own with its files on the disk."""
    path = program()
    if path is None:
        raise SystemExit("there is no mongod on PATH, nor among the development dependencies")
    with MongoServer(path, in_memory=False) as server:
        store = MongoStore(server.url("bench"))
        await store.open()
        try:
            yield store
        finally:
            await store.close()


STORES: dict[str, Callable[[], AbstractAsyncContextManager[Store]]] = {"sqlite": sqlite, "mongo": mongo}


async def main(name: str, sizes: list[int]) -> None:
    """Measure one store."""
    async with STORES[name]() as store:
        await measure(store, sizes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frontier")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    parser.add_argument("sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    uvloop.run(main(options.store, options.sizes))
