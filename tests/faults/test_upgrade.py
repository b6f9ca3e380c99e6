"""Databases of earlier versions."""

import sqlite3

import pytest

from contract.conftest import failed, handled, make_job, request_of
from scrapemaster.domain.idempotency import OrderKey
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.joblog import LogEvent
from scrapemaster.storage.sqlite.migrations import STEPS, _statements
from scrapemaster.storage.sqlite.store import SqliteStore

SPEC = '{"selectors":{},"config":{"max_pages":10,"follow_links":true},"meta":{},"selectors_asked":{},"config_asked":{}}'


@pytest.fixture
def old_file(tmp_path):
    """A database of the first schema with a running job of two pages."""
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as database:
        for statement in _statements(STEPS[0]):
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "INSERT INTO jobs (no, id, owner, status, engine, priority, created_at, tags, urls, max_pages, spec) "
            "VALUES (1, 'old-job', 'ada', 'running', 'auto', 'normal', 1000, '[]', '[\"http://site/\"]', 10, ?)",
            (SPEC,),
        )
        database.execute("INSERT INTO tallies (job, discovered, queued, bytes) VALUES (1, 2, 2, 77)")
        for number in (1, 2):
            key, request = (1 << 40) + number, request_of(str(number))
            database.execute(
                "INSERT INTO requests VALUES (?, ?, ?, 0)", (key, request.fingerprint, request.url)
            )
            database.execute("INSERT INTO recent VALUES (1, ?, ?)", (request.fingerprint, key))
            database.execute("INSERT INTO queue VALUES (1, 0, ?)", (key,))
    database.close()
    return path


async def test_H49_a_job_of_an_older_database_goes_on_with_what_is_new(old_file):
    store = SqliteStore(old_file)
    await store.open()
    try:
        ((job_id, _),) = await store.jobs.unfinished()
        job = await store.jobs.get(job_id)
        assert (job.counters.bytes, job.counters.fetch_ms, job.retry_of, job.schedule_id) == (
            77,
            0,
            None,
            None,
        )
        assert await store.log.page(job_id) == []

        one, two = await store.frontier.lease(job_id, "h", 5, 30, now=2_000.0)
        await store.frontier.commit(job_id, "h", [handled(one, elapsed=0.5), failed(two)])
        assert await store.frontier.retry_failed(job_id, now=2_000.0) == 1
        (two,) = await store.frontier.lease(job_id, "h", 5, 30, now=2_000.0)
        counters = await store.frontier.commit(job_id, "h", [handled(two)])
        await store.jobs.transition(job_id, JobStatus.COMPLETED, now=2_001.0)

        assert (counters.fetched, counters.attempted, counters.fetch_ms) == (2, 2, 500)
        assert [line.event for line in await store.log.page(job_id)] == [
            LogEvent.PAGES_FAILED,
            LogEvent.RETRIED,
            LogEvent.ENDED,
        ]
        new = make_job()
        assert await store.jobs.add(new, [], key=OrderKey("k", b"b")) == new.id
    finally:
        await store.close()
