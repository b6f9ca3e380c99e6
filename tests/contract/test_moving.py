"""A grown SQLite store moved to MongoDB."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from pymongo import MongoClient

from contract.conftest import failed, handled, make_job, request_of, retried, running_job
from contract.test_artefacts import PLENTY, artefact
from contract.test_projects import version_of
from contract.test_proxies import make_proxy
from contract.test_schedules import make_schedule
from contract.test_users import key_of, user
from contract.test_webhooks import NOW, OK, lease, make_delivery, make_endpoint
from scrapemaster.domain.errors import Conflict, StoreBroken
from scrapemaster.domain.escalation import Finding, Lesson, Reason
from scrapemaster.domain.idempotency import OrderKey, body_hash
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.job import JobConfig, JobStatus
from scrapemaster.domain.outcome import Verdict
from scrapemaster.domain.proxy_health import Delta, Strike
from scrapemaster.domain.took import Expense, Took
from scrapemaster.domain.user import Role
from scrapemaster.domain.webhook import DeliveryState, Settlement
from scrapemaster.ports.artefacts import CHUNK_BYTES
from scrapemaster.ports.jobs import JobQuery
from scrapemaster.services.moving import Move
from scrapemaster.storage.mongo.moving import MongoMoveTarget
from scrapemaster.storage.mongo.store import MongoStore
from scrapemaster.storage.sqlite.moving import SqliteMoveSource
from scrapemaster.storage.sqlite.store import SqliteStore
from servers.stores import settings_for

KEY = OrderKey("ké", body_hash({"url": "http://site/"}))

#: What `auto` chose for a page.
TOOK = Took(
    "browser",
    Reason.CHALLENGE,
    Expense(1, 2, 3),
    Expense(4, 5, 6),
    Lesson("site", "", "look", Finding.CHANGED),
)


@pytest.fixture
def url():
    with settings_for("mongo") as settings:
        yield settings["SCRAPEMASTER_MONGODB_URL"]


@asynccontextmanager
async def opened(store):
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def grown(tmp_path):
    """The file of a store that has something of everything."""
    path = tmp_path / "scrapemaster.db"
    async with opened(SqliteStore(path)) as store:
        await fill(store)
    return path


async def fill(store):
    ada, bob = user("Ada", role=Role.ADMIN, rate_limit="5/minute"), user("bob", disabled=True, email=None)
    for one in (ada, bob):
        await store.users.add(one)
        await store.users.know_network(one.id, "10.0.0.0/24", now=NOW, keep=5)
    await store.users.change(ada.id, revoke=True)
    await store.users.revoke_token("gone", 9e9)
    await store.api_keys.add(key_of(ada.id, last_used_at=3.0), most=5)
    await store.schedules.add(make_schedule(ada.id, name="nightly"), limit=5)
    proxy = make_proxy(1, tier=2, tags=["名"], enabled=False)
    await store.proxies.add([proxy, make_proxy(2)], limit=5)
    await store.projects.put(version_of(), bytes(1_200_000), replace=False, limit=9)
    await store.projects.put(version_of("2"), b"zip", replace=False, limit=9)
    rest = Delta(NOW, bad=1, strike=Strike(NOW, 60.0, banned=True))
    await store.proxies.report({(proxy.id, ""): Delta(NOW, good=1, good_at=NOW), (proxy.id, "shop"): rest})
    hook = make_endpoint(owner=UserId("ada"))
    await store.webhooks.add(hook)
    for _ in range(3):
        await store.webhooks.post(make_delivery(hook))
    (due, *_) = await lease(store.webhooks)
    await store.webhooks.settle(due.delivery.id, "h", OK, Settlement(DeliveryState.DELIVERED, NOW))

    await busy_job(store)
    first = await incremental(store, [b'{"a":1}', b'{"b":1}'])
    await store.jobs.transition(first.id, JobStatus.COMPLETED, now=NOW)
    await incremental(store, [b'{"a":1}', b'{"b":2}'])
    ended = await running_job(store, "a", "b", "c")
    one, two, _ = await store.frontier.lease(ended.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(ended.id, "h", [failed(one, evidence={"title": "x"}), handled(two, [b"{}"])])
    await store.jobs.transition(ended.id, JobStatus.CANCELLED, now=NOW)
    await store.jobs.add_retry(make_job(retry_of=ended.id), ended.id)
    ordered = make_job(name="ordered", tags=["t"], meta={"$x.": "\ud800"})
    await store.jobs.add(ordered, [], key=KEY)


async def busy_job(store):
    """A job with requests in every state, of three priorities, and one that is leased still."""
    job = await running_job(store, *(f"p{number}" for number in range(30)), pages=10**6)
    await store.frontier.add(job.id, [request_of(f"high{n}", 1, 7) for n in range(4)])
    await store.frontier.add(job.id, [request_of(f"low{n}", 1, -3) for n in range(4)])
    leased = await store.frontier.lease(job.id, "h", 20, 30, now=NOW)
    await store.frontier.commit(
        job.id,
        "h",
        [
            handled(
                leased[0], [b"{}"] * 3, [request_of("found", 2)], alias=b"A" * 16, fill={"n": 2}, took=TOOK
            ),
            failed(leased[1]),
            retried(leased[2], NOW + 5),
            replace(failed(leased[3], "robots_denied"), verdict=Verdict.SKIPPED, fetched=False),
            *(handled(one, [b"{}"]) for one in leased[4:15]),
        ],
    )
    await store.frontier.release(job.id, "h", [leased[16].key], due_at=NOW + 9)
    await store.jobs.warn(job.id, ["take care"])
    for part, data in enumerate((b"1" * (CHUNK_BYTES + 5), b"2")):
        assert await store.artefacts.put(artefact(job, "a", part), data, budget=PLENTY)


async def incremental(store, items):
    job = await running_job(store, "a", "b", name="shop", config=JobConfig(max_pages=9, incremental=True))
    leased = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(
        job.id, "h", [handled(one, [item]) for one, item in zip(leased, items, strict=True)]
    )
    return job


async def move(path, url, target=MongoMoveTarget):
    said = []
    await Move(SqliteMoveSource(path), target(url), said.append).run()
    return said


async def everything(store):
    """All that can be seen of a store, but for the keys by which it calls requests itself."""
    users, _ = await store.users.find(skip=0, limit=99)
    jobs, _ = await store.jobs.find(JobQuery(sort="created_at", limit=99))
    endpoints, _ = await store.webhooks.find(None)
    seen = [users, jobs, endpoints, await store.webhooks.events(99), await store.schedules.find(None)]
    seen += [await store.projects.find(), [chunk async for chunk in store.projects.read("shop", "1")]]
    seen += [await store.proxies.all(), await store.proxies.health(["shop"])]
    seen += [await store.webhooks.deliveries(one.id) for one in endpoints]
    seen += [await store.api_keys.of_owner(one.id) for one in users]
    seen += [await store.users.network_known(one.id, "10.0.0.0/24", since=0) for one in users]
    seen += [await store.users.holder(users[0].id, jti) for jti in ("gone", "fresh")]
    for job in jobs:
        artefacts, _ = await store.artefacts.find(job.id)
        seen += [(one, [chunk async for chunk in store.artefacts.read(one.id)]) for one in artefacts]
        seen += [
            await store.results.page(job.id, limit=99),
            await store.frontier.failures(job.id),
            await store.frontier.next_due(job.id),
            await store.log.page(job.id),
            await store.series.points(job.id),
            await store.frontier.recount(job.id),
        ]
    return seen


async def leases(store):
    """In which order the requests of each running job are given out, and what is known of them."""
    jobs, _ = await store.jobs.find(JobQuery(sort="created_at", status=JobStatus.RUNNING, limit=99))
    return [
        [replace(one, key=0) for one in await store.frontier.lease(job.id, "after", 99, 30, now=NOW + 100)]
        for job in jobs
    ]


async def test_all_that_was_there_is_there_and_goes_on(grown, url):
    said = await move(grown, url)

    async with opened(SqliteStore(grown)) as source, opened(MongoStore(url)) as target:
        assert await everything(target) == await everything(source)
        assert await leases(target) == await leases(source)
        jobs, _ = await target.jobs.find(JobQuery(sort="created_at", limit=99))
        known = [request_of(name) for name in ("a", "b", "c", "p0", "high1", "found", "new")]
        for job in jobs:
            assert await target.frontier.add(job.id, known) == await source.frontier.add(job.id, known)
            assert await target.jobs.previous(job) == await source.jobs.previous(job)
        again = await target.jobs.add(make_job(), [], key=KEY)
        assert again == await source.jobs.add(make_job(), [], key=KEY)
        assert await lease(target.webhooks) == await lease(source.webhooks)
    assert said[0].startswith("Moving sqlite://")
    assert any(line.startswith("rows: ") for line in said)


async def test_a_page_that_was_found_under_another_name_is_known_by_it_still(grown, url):
    await move(grown, url)

    async with opened(MongoStore(url)) as store:
        ((job, _), *_) = await store.jobs.unfinished()
        (one, *_) = await store.frontier.lease(job, "h", 1, 30, now=NOW + 100)
        before = await store.frontier.counters(job)
        after = await store.frontier.commit(job, "h", [handled(one, [b"{}"], alias=b"A" * 16)])

        assert (after.skipped, after.items) == (before.skipped + 1, before.items)


class Broken(MongoMoveTarget):
    """One that breaks off after so many batches."""

    left = 0

    async def put(self, progress, records):
        if not Broken.left:
            raise KeyboardInterrupt
        Broken.left -= 1
        await super().put(progress, records)


async def test_a_move_broken_off_anywhere_goes_on_where_it_was(grown, url):
    batches = 0
    while True:
        Broken.left = 1
        batches += 1
        try:
            await move(grown, url, Broken)
        except KeyboardInterrupt:
            with pytest.raises(StoreBroken, match="broken off"):
                await MongoStore(url).open()
        else:
            break

    assert batches > 20
    async with opened(SqliteStore(grown)) as source, opened(MongoStore(url)) as target:
        assert await everything(target) == await everything(source)
        assert await leases(target) == await leases(source)


async def test_a_source_that_changed_since_is_moved_anew(grown, url):
    Broken.left = 12
    with pytest.raises(KeyboardInterrupt):
        await move(grown, url, Broken)
    async with opened(SqliteStore(grown)) as source:
        await busy_job(source)
        await source.users.add(user("carol"))

    await move(grown, url)

    async with opened(SqliteStore(grown)) as source, opened(MongoStore(url)) as target:
        assert await everything(target) == await everything(source)


async def test_a_database_in_use_is_refused(grown, url):
    async with opened(MongoStore(url)) as target:
        await target.users.add(user("somebody"))

    with pytest.raises(Conflict, match="it holds 1 users and 0 jobs"):
        await move(grown, url)


async def test_the_beginning_of_another_move_is_refused(grown, url, tmp_path):
    Broken.left = 3
    with pytest.raises(KeyboardInterrupt):
        await move(grown, url, Broken)
    other = tmp_path / "other.db"
    other.write_bytes(grown.read_bytes())

    with pytest.raises(Conflict, match="scrapemaster.db"):
        await move(other, url)


async def test_what_is_not_as_it_was_is_found(grown, url):
    class Careless(MongoMoveTarget):
        async def finish(self):
            await super().finish()

        async def put(self, progress, records):
            await super().put(progress, records)
            if progress.kind == "rows":
                with MongoClient(url) as client:
                    rows = client.get_default_database()["results"]
                    await asyncio.to_thread(rows.update_one, {}, {"$set": {"b": b'{"lost":1}'}})

    with pytest.raises(StoreBroken, match="rows of job"):
        await move(grown, url, Careless)
