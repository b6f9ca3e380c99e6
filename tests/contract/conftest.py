"""Every store under one suite: a backend is a function that opens a fresh store."""

from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient, MongoClient

from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig, JobStatus
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import NewRequest
from scrapemaster.storage.mongo.migrations import INDEXES
from scrapemaster.storage.mongo.store import MongoStore
from scrapemaster.storage.sqlite.store import SqliteStore
from servers.mongo import database_url


@asynccontextmanager
async def sqlite(folder):
    store = SqliteStore(folder / "contract.db")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


#: Databases that are clean and free to be used: to make one with all its indexes takes longer than most tests.
_FREE = []


@asynccontextmanager
async def mongo(folder):
    """The same folder gives the same database, which is emptied by the first to open it."""
    note = folder / "database"
    first = not note.exists()
    if first:
        note.write_text(_FREE.pop() if _FREE else f"contract-{uuid4().hex}")
    name = note.read_text()
    url = database_url(name)
    store = MongoStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
        if first:
            async with AsyncMongoClient(url) as client:
                for collection in INDEXES:
                    await client[name][collection].delete_many({})
            _FREE.append(name)


BACKENDS = {"sqlite": sqlite, "mongo": mongo}


@pytest.fixture(scope="session", autouse=True)
def databases():
    """What was made on the server goes with the session."""
    yield
    if _FREE:
        with MongoClient(database_url("admin")) as client:
            while _FREE:
                client.drop_database(_FREE.pop())


@pytest.fixture(params=BACKENDS)
async def store(request, tmp_path):
    async with BACKENDS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
async def another(request, store, tmp_path):
    """The same store as another process would open it."""
    async with BACKENDS[request.node.callspec.params["store"]](tmp_path) as opened:
        yield opened


def request_of(name, depth=0, priority=0):
    return NewRequest.of(f"http://site/{name}", depth, priority)


def make_job(owner="ada", pages=1_000, **changes):
    values = {
        "id": new_job_id(),
        "owner": UserId(owner),
        "urls": ["http://site/"],
        "selectors": {},
        "config": JobConfig(max_pages=pages, follow_links=True),
        "created_at": 1_000.0,
    }
    return Job(**{**values, **changes})


async def running_job(store, *names, pages=1_000, **changes):
    job = make_job(pages=pages, **changes)
    await store.jobs.add(job, [request_of(name) for name in names])
    await store.jobs.transition(job.id, JobStatus.RUNNING, now=1_001.0)
    return job


def handled(leased, items=(), links=(), **changes):
    return Outcome(
        request=leased,
        verdict=Verdict.HANDLED,
        url=leased.url,
        items=list(items),
        links=list(links),
        fetched_at=1_002.0,
        **changes,
    )


def failed(leased, reason="http_404", **changes):
    return Outcome(
        request=leased,
        verdict=Verdict.FAILED,
        url=leased.url,
        reason=reason,
        detail="d",
        fetched_at=1_002.0,
        **changes,
    )


def retried(leased, at, **changes):
    return Outcome(
        request=leased,
        verdict=Verdict.RETRY,
        url=leased.url,
        reason="http_503",
        detail="d",
        retry_at=at,
        fetched_at=1_002.0,
        **changes,
    )
