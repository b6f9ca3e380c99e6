"""Databases of earlier versions."""

import sqlite3

import pytest

from contract.conftest import failed, handled, make_job, request_of
from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.idempotency import OrderKey
from scrapemaster.domain.ids import UserId, new_api_key_id
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
        database.execute(
            "INSERT INTO known VALUES (1, ?, ?)", (request_of("elsewhere").fingerprint, (1 << 40) + 1)
        )
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
        # A page it knows, one that was found under another address, and a new one.
        links = [request_of(name) for name in ("1", "elsewhere", "new")]
        assert await store.frontier.add(job_id, links) == 1

        one, two = await store.frontier.lease(job_id, "h", 2, 30, now=2_000.0)
        await store.frontier.commit(job_id, "h", [handled(one, elapsed=0.5), failed(two)])
        assert await store.frontier.retry_failed(job_id, now=2_000.0) == 1
        (two,) = await store.frontier.lease(job_id, "h", 1, 30, now=2_000.0)
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


@pytest.mark.parametrize("version", range(1, len(STEPS)))
async def test_H49_an_older_database_is_brought_up_to_date_with_all_it_holds(tmp_path, version):
    path = tmp_path / "scrapemaster.db"
    connection = sqlite3.connect(path)
    for step in STEPS[:version]:
        for statement in _statements(step):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(
        "INSERT INTO users (id, name_key, username, password_hash, role, created_at, email, disabled, token_epoch) "
        "VALUES ('u1', 'ada', 'Ada', 'hash', 'admin', 5.0, NULL, 0, 3)"
    )
    connection.commit()
    connection.close()

    store = SqliteStore(path)
    await store.open()
    try:
        ada = await store.users.by_name("ada")
        assert (ada.id, ada.username, ada.token_epoch, ada.rate_limit) == ("u1", "Ada", 3, None)
        key = ApiKey(new_api_key_id(), UserId("u1"), "n", "h", "sm_abcd", "wxyz", 5.0)
        await store.api_keys.add(key, most=1)
        assert await store.api_keys.holder("h") == (key, ada)
    finally:
        await store.close()
