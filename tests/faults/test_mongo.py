"""What a MongoDB server and the way to it can do to the store, and to a service that crawls."""

import asyncio
import gc
import time
from collections import Counter
from contextlib import suppress
from uuid import uuid4

import pytest
import requests
from benchmarks.manual_server import free_port
from benchmarks.memory import forget_peak, peak, rss
from benchmarks.service import Service
from benchmarks.tree import tree
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from contract.conftest import handled, make_job, request_of, running_job
from scrapemaster.domain.errors import LeaseLost, StoreBroken, StoreFull, StoreUnavailable
from scrapemaster.domain.job import JobStatus
from scrapemaster.storage.mongo.errors import translate, unfit
from scrapemaster.storage.mongo.store import MongoStore
from servers.fleet import assert_every_row_once, crawl_order
from servers.mongo import database_url, own_server
from servers.slow import slow_wire

PAGES = 3_000
#: Seconds for which a server is frozen: longer than a call may take.
FROZEN = 12.0

#: pymongo 4.20 leaves the socket of a refused connection to the garbage collector, which is no fault of the store.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def sockets():
    """What the driver left is collected here, and not in another test."""
    yield
    gc.collect()


@pytest.fixture
async def url():
    name = f"faults-{uuid4().hex}"
    address = database_url(name)
    yield address
    async with AsyncMongoClient(address) as client:
        await client.drop_database(name)


async def until(condition, seconds=60.0):
    """Return once the condition holds, trying again while the store is away."""
    end = time.monotonic() + seconds
    while True:
        with suppress(StoreUnavailable, PyMongoError):
            if await condition():
                return
        assert time.monotonic() < end, "it did not come to be in time"
        await asyncio.sleep(0.05)


def test_H44_a_mongod_killed_in_mid_crawl_loses_and_doubles_no_row():
    with (
        own_server() as mongod,
        tree(PAGES, delay=0.005) as site,
        Service(SCRAPEMASTER_MONGODB_URL=mongod.url("crawl")) as service,
    ):
        job = service.create(
            url=site,
            selectors={"n": "p.n::text"},
            config={"follow_links": True, "max_pages": 1_000_000, "respect_robots": False},
        )
        while service.job(job["id"])["pages_fetched"] < PAGES // 10:
            time.sleep(0.02)

        mongod.kill()

        answer = service.http.get(f"{service.base}/jobs/{job['id']}", timeout=60)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["type"] == "store_unavailable"
        ready = requests.get(f"http://127.0.0.1:{service.port}/readyz", timeout=30)
        assert (ready.status_code, ready.headers["Retry-After"]) == (503, "1")

        mongod.start()

        ended = service.finished(job["id"], 240)
        assert (ended["status"], ended["stop_reason"]) == ("completed", "finished")
        assert (ended["pages_fetched"], ended["pages_failed"], ended["items_scraped"]) == (PAGES, 0, PAGES)
        assert Counter(int(row["data"]["n"]) for row in service.rows(job["id"])) == Counter(range(PAGES))
        parts = service.http.get(f"{service.base}/monitoring/system", timeout=30).json()
        assert parts["mongodb"] == "healthy"


@pytest.mark.soak
def test_H44_step_downs_and_a_frozen_mongod_in_mid_crawl_cost_time_and_no_row():
    with (
        own_server() as mongod,
        tree(PAGES, delay=0.005) as site,
        Service(SCRAPEMASTER_MONGODB_URL=mongod.url("crawl")) as service,
        MongoClient(mongod.url("admin"), serverSelectionTimeoutMS=60_000) as client,
    ):
        job = service.create(
            url=site,
            selectors={"n": "p.n::text"},
            config={"follow_links": True, "max_pages": 1_000_000, "respect_robots": False},
        )

        def crawl_on():
            """Wait until a tenth of the pages more was fetched."""
            aim = fetched() + PAGES // 10
            while fetched() < aim:
                time.sleep(0.02)

        def fetched():
            with suppress(requests.HTTPError):  # 503 while there is no primary
                return service.job(job["id"])["pages_fetched"]
            return 0

        crawl_on()
        for _ in range(2):
            client.admin.command("replSetStepDown", 1, force=True)
            crawl_on()
        mongod.freeze()
        time.sleep(FROZEN)
        mongod.thaw()
        while not fetched():
            time.sleep(0.1)

        ended = service.finished(job["id"], 240)
        assert (ended["status"], ended["stop_reason"]) == ("completed", "finished")
        assert (ended["pages_fetched"], ended["pages_failed"], ended["items_scraped"]) == (PAGES, 0, PAGES)
        assert Counter(int(row["data"]["n"]) for row in service.rows(job["id"])) == Counter(range(PAGES))


@pytest.mark.parametrize("seconds", [0.02, pytest.param(0.1, marks=pytest.mark.soak)])
def test_H44_a_mongodb_that_is_slow_costs_time_and_no_memory(seconds):
    pages = 500
    with (
        own_server() as mongod,
        slow_wire(mongod.port, seconds) as port,
        tree(pages) as site,
        # The wire is the only way: the server itself would name its own address.
        Service(SCRAPEMASTER_MONGODB_URL=f"mongodb://127.0.0.1:{port}/slow?directConnection=true") as service,
    ):
        crawler = service.crawler_pid()
        first = service.create(**crawl_order(site, max_pages=100))
        assert service.finished(first["id"], 300)["pages_fetched"] == 100
        forget_peak(crawler)
        before = rss(crawler)

        job = service.create(**crawl_order(site))
        assert_every_row_once(service, job["id"], pages)

        # Work in hand is bounded, however long a commit takes: 500 leases, and as much again on its way.
        assert peak(crawler) - before < 60
        assert service.crawler_pid() == crawler


async def test_H42_what_was_committed_before_a_kill_of_the_server_is_there_after_it():
    with own_server() as mongod:
        store = MongoStore(mongod.url("kill"))
        await store.open()
        try:
            job = await running_job(store, *(f"p{number}" for number in range(2_000)), pages=10**6)
            said, enough = 0, asyncio.Event()

            async def crawl():
                nonlocal said
                while batch := await store.frontier.lease(job.id, "h", 5, 600, now=2_000.0):
                    links = [request_of(f"{batch[0].url}/{at}") for at in range(5)]
                    first, *others = batch
                    outcomes = [handled(first, [b"{}"], links), *(handled(one, [b"{}"]) for one in others)]
                    said = (await store.frontier.commit(job.id, "h", outcomes)).fetched
                    if said >= 100:
                        enough.set()

            async def crash():
                await enough.wait()
                await asyncio.to_thread(mongod.kill)

            with pytest.raises(StoreUnavailable):
                await asyncio.gather(crawl(), crash())
            await asyncio.to_thread(mongod.start)
            await until(lambda: store.jobs.get(job.id))

            counters = await store.frontier.counters(job.id)
            assert counters.fetched >= said >= 100
            assert counters.items == counters.fetched
            rows = [row.id async for batch in store.results.stream(job.id) for row in batch]
            assert len(rows) == len(set(rows)) == counters.items
            assert await store.frontier.recount(job.id) == counters
        finally:
            await store.close()


async def test_H44_a_primary_that_steps_down_costs_time_and_no_row():
    with own_server() as mongod:
        store = MongoStore(mongod.url("stepdown"))
        await store.open()
        try:
            job = await running_job(store, *(f"p{number}" for number in range(300)))

            async def crawl(holder):
                while True:
                    with suppress(StoreUnavailable, LeaseLost):
                        batch = await store.frontier.lease(job.id, holder, 5, 30, now=2_000.0)
                        if not batch:
                            return
                        await store.frontier.commit(
                            job.id, holder, [handled(one, [one.url.encode()]) for one in batch]
                        )

            async def step_down():
                async with AsyncMongoClient(mongod.url("admin")) as client:
                    for _ in range(2):
                        await client.admin.command("replSetStepDown", 1, force=True)
                        await until(lambda: client.admin.command("ping"))

            await asyncio.gather(crawl("h1"), crawl("h2"), step_down())
            # What a holder could not commit, or does not know that it did, is free when its lease has ended.
            while batch := await store.frontier.lease(job.id, "h3", 50, 30, now=3_000.0):
                await store.frontier.commit(job.id, "h3", [handled(one, [one.url.encode()]) for one in batch])

            rows = await store.results.page(job.id, limit=1_000)
            assert Counter(row.data for row in rows) == Counter(
                f"http://site/p{n}".encode() for n in range(300)
            )
            assert [row.seq for row in rows] == list(range(1, 301))
            assert await store.frontier.next_due(job.id) is None
        finally:
            await store.close()


async def test_H44_a_server_that_is_not_there_is_said_soon_and_without_the_password():
    store = MongoStore(f"mongodb://ada:hunter2secret@127.0.0.1:{free_port()}/x")

    with pytest.raises(StoreUnavailable, match="does not answer") as raised:
        await store.open()

    assert "hunter2secret" not in f"{raised.value} {raised.value!r} {raised.value.__cause__!r}"
    with pytest.raises(StoreUnavailable, match="is not open"):
        await store.ping()
    await store.close()


async def test_a_server_that_stands_alone_is_refused_with_a_sentence():
    with own_server(alone=True) as mongod:
        store = MongoStore(f"mongodb://127.0.0.1:{mongod.port}/x")

        with pytest.raises(StoreBroken, match="is no replica set"):
            await store.open()


async def test_H49_a_newer_database_is_refused_with_a_sentence(url):
    store = MongoStore(url)
    await store.open()
    await store.close()
    async with AsyncMongoClient(url) as client:
        await client.get_default_database()["schema"].update_one({}, {"$set": {"version": 999}})

    with pytest.raises(StoreBroken, match="newer ScrapeMaster"):
        await MongoStore(url).open()


async def test_rows_of_a_removed_job_are_deleted_after_the_next_start_too(url):
    store = MongoStore(url)
    await store.open()
    kept, removed = [await running_job(store, *(f"p{n}" for n in range(50))) for _ in range(2)]
    for job in (kept, removed):
        leased = await store.frontier.lease(job.id, "h", 20, 30, now=2_000.0)
        await store.frontier.commit(job.id, "h", [handled(one, [b"{}"]) for one in leased[:10]])
    await store.jobs.transition(removed.id, JobStatus.CANCELLED, now=2_001.0)
    assert await store.jobs.delete(removed.id)
    await store.close()

    store = MongoStore(url)
    await store.open()
    try:
        async with AsyncMongoClient(url) as client:
            database = client.get_default_database()
            await until(lambda: nothing_left(database))
            assert await database["requests"].count_documents({}) == 50
            assert await database["results"].count_documents({}) == 10
            assert await database["troubled"].count_documents({}) == 0
            assert await database["orders"].count_documents({}) == 1
        assert (await store.frontier.recount(kept.id)).items == 10
    finally:
        await store.close()


async def nothing_left(database):
    return await database["leftovers"].count_documents({}) == 0


async def test_H32_nothing_that_is_stored_has_a_key_from_outside(url):
    store = MongoStore(url)
    await store.open()
    try:
        marker = "outsider"
        job = make_job(
            name=f"{marker}\ud800",
            tags=[f"{marker}\udfff"],
            meta={f"${marker}.x": {f"{marker}\0": 1}},
            selectors_asked={f"{marker}.$": marker},
        )
        await store.jobs.add(job, [request_of(f"{marker}\ud83d")])
        await store.jobs.transition(job.id, JobStatus.RUNNING, now=1.0)
        await store.jobs.warn(job.id, [f"{marker}\ud800 $x"])
        (one,) = await store.frontier.lease(job.id, f"{marker}.$h\ud800", 1, 30, now=2.0)
        await store.frontier.commit(
            job.id, f"{marker}.$h\ud800", [handled(one, [f'{{"${marker}": 1}}'.encode()])]
        )

        stored = await store.jobs.get(job.id)
        assert (stored.name, list(stored.tags), stored.meta) == (job.name, job.tags, job.meta)
        assert list(stored.warnings) == [f"{marker}\ud800 $x"]
        assert (await store.results.page(job.id))[0].url == one.url == f"http://site/{marker}\ud83d"
        async with AsyncMongoClient(url) as client:
            database = client.get_default_database()
            for name in await database.list_collection_names():
                async for document in database[name].find():
                    assert marker not in str(list(keys_of(document)))
    finally:
        await store.close()


def keys_of(value):
    if isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from keys_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from keys_of(part)


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (18, StoreBroken, "refuses the user name or the password"),
        (13, StoreBroken, "readWrite"),
        (14031, StoreFull, "no space left"),
        (91, StoreUnavailable, "failed"),
    ],
)
def test_codes_of_the_server_become_sentences(code, kind, says):
    error = translate(OperationFailure("Reason.", code), "db.example:27017")

    assert type(error) is kind
    assert says in str(error)
    assert "db.example:27017" in str(error)


def test_what_a_server_says_of_itself_decides_whether_it_is_used():
    assert unfit({"setName": "rs0", "maxWireVersion": 17}, "db.example") is None
    assert unfit({"msg": "isdbgrid", "maxWireVersion": 25}, "db.example") is None
    assert "no replica set" in unfit({"maxWireVersion": 25}, "db.example")
    assert "6.0 or newer" in unfit({"setName": "rs0", "maxWireVersion": 13}, "db.example")
