import asyncio

import pytest

from contract.conftest import make_job, request_of
from scrapemaster.domain.errors import Conflict, StoreError
from scrapemaster.domain.idempotency import KEY_SECONDS, OrderKey, body_hash
from scrapemaster.domain.job import JobStatus
from scrapemaster.ports.jobs import JobQuery

KEY = OrderKey("k", body_hash({"url": "http://site/"}))


async def count(store):
    return (await store.jobs.find(JobQuery()))[1]


async def test_a_key_makes_one_job(store):
    first, second = make_job(), make_job()

    assert await store.jobs.add(first, [request_of("a")], key=KEY) == first.id
    assert await store.jobs.add(second, [request_of("a")], key=KEY) == first.id

    assert await store.jobs.get(second.id) is None
    assert (await store.frontier.counters(first.id)).discovered == 1


async def test_of_fifty_orders_at_once_with_one_key_one_is_stored(store):
    jobs = [make_job() for _ in range(50)]

    ids = await asyncio.gather(*(store.jobs.add(job, [request_of("a")], key=KEY) for job in jobs))

    assert len(set(ids)) == 1
    assert await count(store) == 1


async def test_a_key_with_another_body_is_refused(store):
    await store.jobs.add(make_job(), [], key=KEY)

    with pytest.raises(Conflict, match="another order"):
        await store.jobs.add(make_job(), [], key=OrderKey("k", body_hash({"url": "http://other/"})))

    assert await count(store) == 1


async def test_keys_belong_to_their_users(store):
    ada, bob = make_job("ada"), make_job("bob")

    assert await store.jobs.add(ada, [], key=KEY) == ada.id
    assert await store.jobs.add(bob, [], key=KEY) == bob.id


async def test_a_key_is_forgotten_after_its_time(store):
    first = make_job(created_at=1_000.0)
    before = make_job(created_at=1_000.0 + KEY_SECONDS - 0.5)
    after = make_job(created_at=1_000.0 + KEY_SECONDS)
    other = OrderKey("k", body_hash({}))

    await store.jobs.add(first, [], key=KEY)

    assert await store.jobs.add(before, [], key=KEY) == first.id
    assert await store.jobs.add(after, [], key=other) == after.id
    assert await store.jobs.add(make_job(created_at=after.created_at + 1), [], key=other) == after.id


async def test_a_key_whose_job_was_deleted_makes_no_other(store):
    job = make_job()
    await store.jobs.add(job, [], key=KEY)
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=1_001.0)
    await store.jobs.delete(job.id)

    with pytest.raises(Conflict, match=f"{job.id}.*deleted"):
        await store.jobs.add(make_job(), [], key=KEY)

    assert await count(store) == 0


async def test_a_job_that_cannot_be_stored_leaves_no_key(store):
    taken, twin = make_job(), make_job()
    await store.jobs.add(taken, [])

    with pytest.raises(StoreError):
        await store.jobs.add(make_job(id=taken.id), [], key=KEY)

    assert await store.jobs.add(twin, [], key=KEY) == twin.id
