import asyncio
import json
from dataclasses import asdict, replace

import pytest

from contract.conftest import handled, make_job, request_of, running_job
from scrapemaster.domain.ids import JobId, ScheduleId, UserId, new_job_id
from scrapemaster.domain.job import TRANSITIONS, JobConfig, JobStatus, Priority, StopReason
from scrapemaster.domain.selector import Selector, SelectorType
from scrapemaster.ports.jobs import JobQuery


def as_json(job):
    """Sequences may come back as lists."""
    return json.loads(json.dumps(asdict(job)))


PATHS = {
    JobStatus.PENDING: [],
    JobStatus.RUNNING: [JobStatus.RUNNING],
    JobStatus.PAUSED: [JobStatus.PAUSED],
    JobStatus.COMPLETED: [JobStatus.RUNNING, JobStatus.COMPLETED],
    JobStatus.FAILED: [JobStatus.FAILED],
    JobStatus.CANCELLED: [JobStatus.CANCELLED],
}


async def test_a_job_comes_back_as_it_was_stored(store):
    job = make_job(
        urls=["http://site/", "http://other/"],
        selectors={
            "a": Selector("h1::text"),
            "b.c$d": Selector(
                "//x",
                SelectorType.XPATH,
                many=True,
                fields={"e": Selector("b", transform=("strip",), default=[1])},
            ),
        },
        config=JobConfig(max_pages=5, headers={"X-A": "ü"}, allowed_domains=["site"], max_depth=3),
        name="名",
        tags=["a", "b"],
        meta={"$gt": {"": None}, "n": 1.5},
        priority=Priority.HIGH,
        selectors_asked={"a": "h1::text"},
        config_asked={"max_pages": 5},
    )

    await store.jobs.add(job, [request_of("")])

    stored = await store.jobs.get(job.id)
    assert as_json(replace(stored, counters=job.counters)) == as_json(job)
    assert stored.counters.discovered == stored.counters.queued == 1


async def test_a_job_is_found_by_its_owner_alone(store):
    job = make_job(owner="ada")
    await store.jobs.add(job, [])

    assert await store.jobs.get(job.id, UserId("ada")) is not None
    assert await store.jobs.get(job.id, UserId("bob")) is None
    assert await store.jobs.get(JobId("none")) is None


@pytest.mark.parametrize("source", JobStatus)
@pytest.mark.parametrize("target", JobStatus)
async def test_only_the_state_machines_moves_are_made(store, source, target):
    job = make_job()
    await store.jobs.add(job, [])
    for step in PATHS[source]:
        assert await store.jobs.transition(job.id, step, now=1_100.0) is not None

    moved = await store.jobs.transition(job.id, target, now=1_200.0)

    if target in TRANSITIONS[source]:
        assert moved.status is target
    else:
        assert moved is None
        assert (await store.jobs.get(job.id)).status is source


async def test_a_move_from_one_status_alone_leaves_a_job_in_another_where_it_is(store):
    job = make_job()
    await store.jobs.add(job, [])
    await store.jobs.transition(job.id, JobStatus.PAUSED, now=1_100.0)

    moved = await store.jobs.transition(job.id, JobStatus.RUNNING, now=1_101.0, only_from=JobStatus.PENDING)

    assert moved is None
    assert (await store.jobs.get(job.id)).status is JobStatus.PAUSED


async def test_times_and_reasons_are_kept(store):
    job = make_job()
    await store.jobs.add(job, [])
    move = store.jobs.transition

    await move(job.id, JobStatus.RUNNING, now=1_010.0, engine_used="http")
    await move(job.id, JobStatus.PAUSED, now=1_020.0)
    await move(job.id, JobStatus.RUNNING, now=1_050.0)
    ended = await move(job.id, JobStatus.COMPLETED, now=1_060.0, stop_reason=StopReason.FINISHED)

    assert (ended.started_at, ended.finished_at, ended.paused_at, ended.paused_seconds) == (
        1_010.0,
        1_060.0,
        None,
        30.0,
    )
    assert (ended.engine_used, ended.stop_reason, ended.progress) == ("http", StopReason.FINISHED, 100.0)
    assert ended.run_seconds(9_999.0) == 20.0


async def test_of_many_moves_at_once_one_is_made(store):
    job = await running_job(store)

    moved = await asyncio.gather(
        *(store.jobs.transition(job.id, JobStatus.CANCELLED, now=1_100.0 + number) for number in range(10))
    )

    assert sum(one is not None for one in moved) == 1


async def test_ending_a_job_drops_its_leases(store):
    job = await running_job(store, "a")
    await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)

    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=2_001.0)

    assert (await store.frontier.counters(job.id)).leased == 0


async def test_progress_follows_commits_and_never_falls(store):
    job = await running_job(store, "a", "b")
    one, two = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    await store.frontier.commit(job.id, "h", [handled(one)], rate=3.5)
    half = await store.jobs.get(job.id)
    await store.frontier.commit(job.id, "h", [handled(two, links=[request_of(f"x{n}") for n in range(50)])])
    after = await store.jobs.get(job.id)

    assert (half.progress, half.rate) == (50.0, 3.5)
    assert after.progress >= 50.0


async def test_warnings_and_scope_are_kept_once(store):
    job = await running_job(store)

    await store.jobs.warn(job.id, ["a", "b"])
    await store.jobs.warn(job.id, ["b", "c"])
    await store.jobs.widen_scope(job.id, "x")
    await store.jobs.widen_scope(job.id, "x")

    stored = await store.jobs.get(job.id)
    assert (list(stored.warnings), list(stored.scope_hosts)) == (["a", "b", "c"], ["x"])


async def test_a_deleted_job_is_gone_with_its_rows(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"])])
    await store.jobs.transition(job.id, JobStatus.COMPLETED, now=2_001.0)

    assert await store.jobs.delete(job.id)

    assert not await store.jobs.delete(job.id)
    assert await store.jobs.get(job.id) is None
    assert await store.results.total(job.id) == 0
    assert await store.results.page(job.id) == []


async def test_unfinished_jobs_are_listed_oldest_first(store):
    jobs = [
        await running_job(store, priority=Priority.HIGH),
        make_job(),
        await running_job(store),
        make_job(),
    ]
    for job in (jobs[1], jobs[3]):
        await store.jobs.add(job, [])
    await store.jobs.transition(jobs[2].id, JobStatus.PAUSED, now=1.0)
    await store.jobs.transition(jobs[3].id, JobStatus.CANCELLED, now=1.0)

    found = await store.jobs.unfinished()

    assert sorted(found) == sorted([(jobs[0].id, Priority.HIGH), (jobs[1].id, Priority.NORMAL)])


async def test_jobs_are_listed_by_what_is_asked(store):
    first = make_job(id=new_job_id(), created_at=1.0, name="Alpha", tags=["red"])
    second = make_job(
        id=new_job_id(),
        created_at=2.0,
        urls=["http://site/%_x"],
        priority=Priority.HIGH,
        tags=["red", "blue"],
    )
    third = make_job(id=new_job_id(), created_at=3.0, owner="bob", name="gamma")
    for job in (first, second, third):
        await store.jobs.add(job, [])

    async def ids(**query):
        jobs, total = await store.jobs.find(JobQuery(**query))
        return [job.id for job in jobs], total

    assert await ids() == ([third.id, second.id, first.id], 3)
    assert await ids(owner=UserId("ada"), sort="created_at") == ([first.id, second.id], 2)
    assert await ids(skip=1, limit=1) == ([second.id], 3)
    assert await ids(schedule="none") == ([], 0)
    assert await ids(tag="red") == ([second.id, first.id], 2)
    assert await ids(priority=Priority.HIGH) == ([second.id], 1)
    assert await ids(text="ALPH") == ([first.id], 1)
    assert await ids(text="%_x") == ([second.id], 1)
    assert await ids(status=JobStatus.RUNNING) == ([], 0)
    assert (await ids(sort="-name"))[0][0] == third.id


async def test_stats_count_states_items_and_recent_jobs(store):
    job = await running_job(store, "a", created_at=100.0)
    (one,) = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    await store.frontier.commit(job.id, "h", [handled(one, [b"{}", b"{}"])])
    await store.jobs.add(make_job(owner="bob", created_at=500.0), [])

    everybody = await store.jobs.stats(None, since=200.0)
    ada = await store.jobs.stats(UserId("ada"), since=0.0)

    assert everybody.status_counts[JobStatus.RUNNING] == everybody.status_counts[JobStatus.PENDING] == 1
    assert (everybody.items_scraped, everybody.created_since) == (2, 1)
    assert (ada.items_scraped, ada.created_since) == (2, 1)


async def test_jobs_are_listed_by_the_schedule_that_ordered_them(store):
    nightly = [
        make_job(schedule_id=ScheduleId("nightly"), created_at=1_000.0 + number) for number in range(2)
    ]
    other = make_job(schedule_id=ScheduleId("hourly"))
    for job in (*nightly, other, make_job()):
        await store.jobs.add(job, [])

    jobs, total = await store.jobs.find(JobQuery(schedule=ScheduleId("nightly")))

    assert ([job.id for job in jobs], total) == ([nightly[1].id, nightly[0].id], 2)
