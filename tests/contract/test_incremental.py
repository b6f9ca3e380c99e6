"""Incremental jobs: rows of new and changed pages only."""

import pytest

from contract.conftest import handled, make_job, request_of
from scrapemaster.domain.job import JobConfig, JobStatus

NAMES = ("a", "b", "c")


async def run(
    store, yields, *, name="shop", owner="ada", end=JobStatus.COMPLETED, incremental=True, at=1_000.0
):
    """Run a job over pages that yield these rows; returns it as it is in the end, with its rows."""
    config = JobConfig(max_pages=100, follow_links=True, incremental=incremental)
    job = make_job(owner=owner, name=name, config=config, created_at=at)
    await store.jobs.add(job, [request_of(page) for page in yields])
    await store.jobs.transition(job.id, JobStatus.RUNNING, now=at + 1)
    leased = await store.frontier.lease(job.id, "h", 100, 30, now=at + 2)
    outcomes = [handled(one, yields[one.url.rpartition("/")[2]], fill={"t": 1}) for one in leased]
    await store.frontier.commit(job.id, "h", outcomes)
    await store.jobs.transition(job.id, end, now=at + 3)
    rows = [row.data for row in await store.results.page(job.id)]
    return await store.jobs.get(job.id), rows


async def test_the_first_run_keeps_all_and_the_next_what_is_new_or_changed(store):
    first, rows = await run(store, {"a": [b"1"], "b": [b"2", b"3"], "c": []})
    assert rows == [b"1", b"2", b"3"]
    assert first.counters.unchanged == 0

    second, rows = await run(store, {"a": [b"1"], "b": [b"2", b"4"], "c": [], "d": [b"5"]}, at=2_000.0)

    assert rows == [b"2", b"4", b"5"]
    assert (second.counters.fetched, second.counters.unchanged, second.counters.items) == (4, 2, 3)
    assert second.fill == {"t": 2}


async def test_a_run_is_compared_with_the_one_before_and_not_with_older_ones(store):
    await run(store, {"a": [b"old"]})
    await run(store, {"a": [b"new"]}, at=2_000.0)

    _, rows = await run(store, {"a": [b"old"]}, at=3_000.0)

    assert rows == [b"old"]


async def test_a_page_left_out_as_unchanged_is_remembered_all_the_same(store):
    for at in (1_000.0, 2_000.0):
        await run(store, {"a": [b"1"]}, at=at)

    _, rows = await run(store, {"a": [b"1"]}, at=3_000.0)

    assert rows == []


@pytest.mark.parametrize(
    "other",
    [{"name": "other"}, {"owner": "bob"}, {"end": JobStatus.CANCELLED}, {"incremental": False}],
    ids=lambda other: next(iter(other)),
)
async def test_only_completed_incremental_runs_of_the_same_owner_and_name_count(store, other):
    await run(store, {"a": [b"1"]}, **other)

    _, rows = await run(store, {"a": [b"1"]}, at=2_000.0)

    assert rows == [b"1"]


async def test_rows_that_are_split_otherwise_are_other_rows(store):
    await run(store, {"a": [b"12", b"3"]})

    _, rows = await run(store, {"a": [b"1", b"23"]}, at=2_000.0)

    assert rows == [b"1", b"23"]


async def test_after_the_run_before_was_removed_all_is_new(store):
    before, _ = await run(store, {"a": [b"1"]})
    await store.jobs.delete(before.id)

    _, rows = await run(store, {"a": [b"1"]}, at=2_000.0)

    assert rows == [b"1"]
