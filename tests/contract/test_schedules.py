import asyncio
from dataclasses import replace

import pytest

from contract.conftest import make_job, request_of
from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import ScheduleId, UserId, new_schedule_id
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.schedule import Claim, Overlap, Schedule
from scrapemaster.ports.jobs import JobQuery


def make_schedule(owner="ada", **changes):
    values = {
        "id": new_schedule_id(),
        "owner": UserId(owner),
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "order": {"urls": ["http://site/"], "meta": {"$gt": {"a.b": None}}},
        "order_asked": {"url": "http://site/"},
        "created_at": 1_000.0,
        "next_run_at": 2_000.0,
    }
    return Schedule(**{**values, **changes})


async def stored(store, **changes):
    schedule = make_schedule(**changes)
    await store.schedules.add(schedule, limit=100)
    return schedule


async def count(store):
    return (await store.jobs.find(JobQuery()))[1]


async def test_a_schedule_comes_back_as_it_was_stored(store):
    schedule = await stored(store, name="名", enabled=True, overlap=Overlap.ALLOW)
    off = await stored(store, enabled=False, next_run_at=None)

    assert await store.schedules.get(schedule.id) == schedule
    assert await store.schedules.get(off.id, UserId("ada")) == off
    assert await store.schedules.get(schedule.id, UserId("bob")) is None
    assert await store.schedules.get(ScheduleId("none")) is None


async def test_schedules_are_listed_latest_first(store):
    first = await stored(store, created_at=1.0)
    second = await stored(store, created_at=2.0)
    third = await stored(store, created_at=3.0, owner="bob")

    assert await store.schedules.find(None) == ([third, second, first], 3)
    assert await store.schedules.find(UserId("ada")) == ([second, first], 2)
    assert await store.schedules.find(None, skip=1, limit=1) == ([second], 3)


async def test_of_many_added_at_once_no_more_than_the_limit_are_stored(store):
    await store.schedules.add(make_schedule("bob"), limit=3)

    added = await asyncio.gather(
        *(store.schedules.add(make_schedule(), limit=3) for _ in range(10)), return_exceptions=True
    )

    assert sum(one is None for one in added) == 3
    assert all(one is None or isinstance(one, Conflict) for one in added)
    assert (await store.schedules.find(UserId("ada")))[1] == 3


async def test_what_is_due_is_found_most_overdue_first(store):
    late = await stored(store, next_run_at=10.0)
    later = await stored(store, next_run_at=5.0)
    await stored(store, next_run_at=20.5)
    await stored(store, enabled=False, next_run_at=None)

    assert await store.schedules.due(20.0, limit=10) == [later, late]
    assert await store.schedules.due(20.0, limit=1) == [later]
    assert await store.schedules.due(4.9, limit=10) == []


async def test_a_run_is_claimed_together_with_its_job(store):
    schedule = await stored(store)
    job = make_job(schedule_id=schedule.id)

    claim = await store.schedules.run(
        schedule.id, job, [request_of("a")], now=2_000.5, due_at=2_000.0, next_run_at=3_000.0
    )

    assert claim is Claim.TAKEN
    assert await store.schedules.get(schedule.id) == replace(
        schedule, next_run_at=3_000.0, last_run_at=2_000.5, last_job_id=job.id, version=1
    )
    kept = await store.jobs.get(job.id)
    assert (kept.schedule_id, kept.counters.queued) == (schedule.id, 1)
    assert schedule.id in (await store.log.page(job.id))[0].message


async def test_of_two_that_claim_one_run_at_once_one_gets_it(store):
    schedule = await stored(store, overlap=Overlap.ALLOW)
    jobs = [make_job() for _ in range(10)]

    claims = await asyncio.gather(
        *(
            store.schedules.run(schedule.id, job, [], now=2_000.0, due_at=2_000.0, next_run_at=3_000.0)
            for job in jobs
        )
    )

    assert sorted(claims) == [Claim.LOST] * 9 + [Claim.TAKEN]
    assert await count(store) == 1
    assert (await store.schedules.get(schedule.id)).last_job_id == jobs[claims.index(Claim.TAKEN)].id


async def test_a_run_that_was_moved_disabled_or_deleted_is_lost(store):
    moved, off, gone = [await stored(store) for _ in range(3)]
    await store.schedules.update(replace(moved, next_run_at=2_500.0))
    await store.schedules.update(replace(off, enabled=False, next_run_at=None))
    await store.schedules.delete(gone.id)

    for schedule in (moved, off, gone):
        claim = await store.schedules.run(
            schedule.id, make_job(), [], now=2_000.0, due_at=2_000.0, next_run_at=3_000.0
        )
        assert claim is Claim.LOST
    assert await count(store) == 0
    assert (await store.schedules.get(moved.id)).next_run_at == 2_500.0


@pytest.mark.parametrize("state", [JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED])
async def test_a_run_over_an_unfinished_job_is_skipped(store, state):
    schedule = await stored(store)
    last, late = make_job(), make_job()
    await store.schedules.run(schedule.id, last, [], now=2_000.0, due_at=2_000.0, next_run_at=3_000.0)
    await store.jobs.transition(last.id, state, now=2_001.0)

    claim = await store.schedules.run(schedule.id, late, [], now=3_000.0, due_at=3_000.0, next_run_at=4_000.0)

    kept = await store.schedules.get(schedule.id)
    assert claim is Claim.SKIPPED
    assert (kept.next_run_at, kept.last_run_at, kept.last_job_id) == (4_000.0, 2_000.0, last.id)
    assert last.id in kept.last_error
    assert await store.jobs.get(late.id) is None


async def test_a_run_over_a_job_that_is_over_or_deleted_or_allowed_is_taken(store):
    over, deleted, allowed = (
        await stored(store),
        await stored(store),
        await stored(store, overlap=Overlap.ALLOW),
    )
    for schedule in (over, deleted, allowed):
        job = make_job()
        await store.schedules.run(schedule.id, job, [], now=2_000.0, due_at=2_000.0, next_run_at=3_000.0)
        if schedule is not allowed:
            await store.jobs.transition(job.id, JobStatus.CANCELLED, now=2_001.0)
        if schedule is deleted:
            await store.jobs.delete(job.id)

        claim = await store.schedules.run(
            schedule.id, make_job(), [], now=3_000.0, due_at=3_000.0, next_run_at=4_000.0
        )

        assert claim is Claim.TAKEN


async def test_a_run_by_hand_leaves_the_next_run_alone(store):
    schedule = await stored(store, enabled=False, next_run_at=None)
    job, second = make_job(), make_job()

    assert await store.schedules.run(schedule.id, job, [], now=1_500.0) is Claim.TAKEN
    assert await store.schedules.run(schedule.id, second, [], now=1_600.0) is Claim.SKIPPED

    kept = await store.schedules.get(schedule.id)
    assert (kept.next_run_at, kept.last_run_at, kept.last_job_id, kept.last_error) == (
        None,
        1_500.0,
        job.id,
        None,
    )
    assert await store.schedules.run(ScheduleId("none"), make_job(), [], now=1.0) is Claim.LOST


async def test_a_run_without_a_job_moves_on_and_says_why(store):
    schedule = await stored(store)

    claim = await store.schedules.run(
        schedule.id, None, now=2_000.0, due_at=2_000.0, next_run_at=3_000.0, error="it cannot"
    )

    assert claim is Claim.TAKEN
    assert await store.schedules.get(schedule.id) == replace(
        schedule, next_run_at=3_000.0, last_error="it cannot", version=1
    )


async def test_a_change_that_met_a_run_is_refused(store):
    schedule = await stored(store)
    await store.schedules.run(schedule.id, make_job(), [], now=2_000.0, due_at=2_000.0, next_run_at=3_000.0)

    assert not await store.schedules.update(replace(schedule, name="late"))

    fresh = await store.schedules.get(schedule.id)
    assert (fresh.name, fresh.next_run_at) == (None, 3_000.0)
    changed = replace(
        fresh,
        name="new",
        cron="0 * * * *",
        timezone="UTC",
        enabled=False,
        overlap=Overlap.ALLOW,
        next_run_at=None,
        order={"a": 1},
        order_asked={"b": 2},
    )
    assert await store.schedules.update(changed)
    assert await store.schedules.get(schedule.id) == replace(changed, version=fresh.version + 1)


async def test_a_schedule_that_is_gone_can_be_neither_changed_nor_deleted(store):
    schedule = await stored(store)

    assert await store.schedules.delete(schedule.id)

    assert not await store.schedules.delete(schedule.id)
    with pytest.raises(NotFound):
        await store.schedules.update(schedule)


async def test_a_job_that_cannot_be_stored_claims_nothing(store):
    schedule, job = await stored(store), make_job()
    await store.jobs.add(job, [])

    with pytest.raises(Exception, match="UNIQUE|duplicate"):
        await store.schedules.run(schedule.id, job, [], now=2_000.0, due_at=2_000.0, next_run_at=3_000.0)

    assert await store.schedules.get(schedule.id) == schedule
