"""Which fingerprints a job knows, in SQLite."""

import asyncio
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.conftest import handled, make_job, request_of, running_job
from scrapemaster.domain.errors import LeaseLost
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.request import NewRequest
from scrapemaster.storage.sqlite import recent as recent_module
from scrapemaster.storage.sqlite import seen as seen_module
from scrapemaster.storage.sqlite.discovery import add_requests
from scrapemaster.storage.sqlite.marks import MarkTable
from scrapemaster.storage.sqlite.seen import index_marks, unseen
from scrapemaster.storage.sqlite.store import SqliteStore

#: Fingerprints that begin alike, at the very end of what a job's keys can hold and elsewhere.
CROWDED = [
    head + bytes([n, place]) + bytes(9)
    for place, head in enumerate((b"\xff" * 5, b"\x00" * 5, b"\xff\xff\xff\xff\xfe"))
    for n in range(6)
]


def numbered(*numbers):
    return [
        NewRequest(mark, f"http://site/{place}", 1) for place, mark in enumerate(CROWDED) if place in numbers
    ]


def rows_of_jobs(connection):
    return connection.execute("SELECT key >> 40, count(*) FROM seen GROUP BY 1").fetchall()


async def opened(path):
    store = SqliteStore(path)
    await store.open()
    return store


async def test_fingerprints_that_begin_alike_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(recent_module, "MOST_OF_A_JOB", 4)
    store = await opened(tmp_path / "s.db")
    neighbour = await running_job(store, "n")
    job = await running_job(store)
    next_one = await running_job(store, "n")
    for place in range(len(CROWDED)):
        assert await store.frontier.add(job.id, numbered(place, max(0, place - 1))) == 1
    assert await store.frontier.add(job.id, numbered(*range(len(CROWDED)))) == 0
    for other in (neighbour, next_one):
        assert await store.frontier.add(other.id, [request_of("n")]) == 0
    await store.close()


@given(st.lists(st.lists(st.sampled_from(CROWDED), max_size=8), max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_index_is_a_set_whatever_comes_in_whatever_order(batches):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE seen (key INTEGER PRIMARY KEY, rest BLOB NOT NULL)")
    connection.execute("CREATE TABLE aliases (job INTEGER, fingerprint BLOB, request INTEGER)")
    connection.execute("CREATE TABLE tallies (job INTEGER, indexed INTEGER, discovered INTEGER)")
    connection.execute("INSERT INTO tallies VALUES (1, 0, 0), (2, 0, 0)")
    model = set()
    for batch in batches:
        marks = list(dict.fromkeys(batch))
        assert unseen(connection, 1, marks) == [mark for mark in marks if mark not in model]
        index_marks(connection, 1, marks)
        model.update(marks)
    assert set(unseen(connection, 1, CROWDED)) == set(CROWDED) - model
    assert unseen(connection, 2, CROWDED) == CROWDED
    connection.close()


async def test_what_a_refused_commit_brought_is_new_still(tmp_path):
    store = await opened(tmp_path / "s.db")
    job = await running_job(store, "a")
    (leased,) = await store.frontier.lease(job.id, "h", 1, 30, now=2_000.0)
    # The transaction is undone after the links of its first part were added.
    twice = [handled(leased, links=[request_of(name)]) for name in "bc"]
    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h", twice)
    assert await store.frontier.add(job.id, [request_of("b"), request_of("a")]) == 1
    await store.close()


async def test_an_undone_operation_leaves_nothing_remembered(tmp_path):
    store = await opened(tmp_path / "s.db")
    job = await running_job(store, "a")

    def undone(connection):
        assert add_requests(connection, 1, [request_of("b")]) == 1
        raise ValueError("second thoughts")

    with pytest.raises(ValueError, match="second thoughts"):
        await store._database.write(undone)
    assert await store.frontier.add(job.id, [request_of("b"), request_of("c")]) == 2
    assert (await store.frontier.counters(job.id)).discovered == 3
    await store.close()


async def test_known_stays_known_while_fingerprints_are_on_their_way_to_the_index(tmp_path, monkeypatch):
    monkeypatch.setattr(recent_module, "MOST_OF_A_JOB", 40)
    monkeypatch.setattr(recent_module, "_PORTION", 100)
    store = await opened(tmp_path / "s.db")
    job = await running_job(store, "0")
    on_their_way = 0
    for number in range(1, 120):
        assert await store.frontier.add(job.id, [request_of(str(n)) for n in range(number + 1)]) == 1
        if number % 37 == 0:
            await store.close()
            store = await opened(tmp_path / "s.db")
        on_their_way += (
            await store._database.write(lambda c: c.recent._jobs[1].gone > 0) if number % 37 else 0
        )
    rows = await store._database.read(rows_of_jobs)
    await store.close()
    assert on_their_way
    assert 40 <= rows[0][1] <= 120


async def test_what_another_process_added_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(recent_module, "MOST_OF_A_JOB", 3)
    monkeypatch.setattr(seen_module, "MOST_OF_A_JOB", 3)
    first, second = await opened(tmp_path / "s.db"), await opened(tmp_path / "s.db")
    job = await running_job(first, "0")
    for number in range(1, 30):
        store = (first, second)[number % 3 == 0]
        names = [request_of(str(n)) for n in range(number + 1)]
        assert await store.frontier.add(job.id, names) == 1
    await first.close()
    await second.close()


async def test_memory_is_shared_among_many_jobs_and_what_is_dropped_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(recent_module, "MOST_OF_ALL", 3 * MarkTable().places)
    store = await opened(tmp_path / "s.db")
    jobs = [await running_job(store) for _ in range(10)]
    for size in range(0, 30, 3):
        for job in jobs:
            links = [request_of(str(n)) for n in range(size + 3)]
            assert await store.frontier.add(job.id, links) == 3
    kept = await store._database.write(lambda connection: connection.recent._places())
    assert MarkTable().places <= kept <= 3 * MarkTable().places
    await store.close()


async def test_a_job_that_is_over_takes_no_memory(tmp_path):
    store = await opened(tmp_path / "s.db")
    job = await running_job(store, "a", "b")
    await store.frontier.add(job.id, [request_of("c")])
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=2_000.0)
    assert await store._database.write(lambda connection: connection.recent._places()) == 0
    await store.close()


async def test_removing_a_job_removes_its_fingerprints_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(recent_module, "MOST_OF_A_JOB", 2)
    monkeypatch.setattr(recent_module, "_PORTION", MarkTable().places)
    store = await opened(tmp_path / "s.db")
    jobs = [make_job() for _ in range(3)]
    for job in jobs:
        await store.jobs.add(job, numbered(*range(len(CROWDED))))
        await store.jobs.transition(job.id, JobStatus.RUNNING, now=1_001.0)
        await store.frontier.add(job.id, [request_of("one that moves the others on")])
    before = await store._database.read(rows_of_jobs)
    await store.jobs.transition(jobs[1].id, JobStatus.CANCELLED, now=2_000.0)
    await store.jobs.delete(jobs[1].id)
    await store.close()
    store = await opened(tmp_path / "s.db")
    async with asyncio.timeout(30):
        while await store._database.read(lambda c: c.execute("SELECT 1 FROM leftovers").fetchone()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    after = await store._database.read(rows_of_jobs)
    assert [count for _, count in before] == [18, 18, 18]
    assert after == [before[0], before[2]]
    await store.close()
