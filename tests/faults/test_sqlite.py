"""What SQLite files and disks can do to the store."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from contract.conftest import handled, running_job
from scrapemaster.domain.errors import StoreBroken, StoreError, StoreUnavailable
from scrapemaster.domain.job import JobStatus
from scrapemaster.storage.sqlite import migrations
from scrapemaster.storage.sqlite.store import SqliteStore

WRITER = """
import asyncio, sys
from pathlib import Path
from contract.conftest import handled, running_job, request_of
from scrapemaster.storage.sqlite.store import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    job = await running_job(store, *(f"p{n}" for n in range(500)), pages=10**6)
    print(job.id, flush=True)
    done = 0
    while batch := await store.frontier.lease(job.id, "h", 5, 600, now=2_000.0):
        links = [request_of(f"q{done}-{n}") for n in range(5)]
        await store.frontier.commit(job.id, "h", [handled(one, [b"{}"], links if n == 0 else ()) for n, one in enumerate(batch)])
        done += len(batch)
        print(done, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("round_", range(3))
async def test_H42_what_was_committed_before_a_kill_is_there_after_it(tmp_path, round_):
    path = tmp_path / "scrapemaster.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as writer:
        job_id = writer.stdout.readline().strip()
        time.sleep(0.2 + 0.15 * round_)
        writer.send_signal(signal.SIGKILL)
        said = [int(line) for line in writer.stdout if line.strip()]
    assert said, "the writer got nowhere"

    store = SqliteStore(path)
    await store.open()
    try:
        counters = await store.frontier.counters(job_id)
        assert counters.fetched >= said[-1]
        assert counters.items == counters.fetched == await store.results.total(job_id)
        assert await store.frontier.recount(job_id) == counters
    finally:
        await store.close()


async def test_H43_a_damaged_file_is_said_at_once(tmp_path):
    path = tmp_path / "scrapemaster.db"
    path.write_bytes(b"this is no database, but long enough to be looked at by SQLite" * 100)

    with pytest.raises(StoreBroken, match="is not a ScrapeMaster database"):
        await SqliteStore(path).open()


async def test_H43_a_missing_folder_is_said_at_once(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened"):
        await SqliteStore(tmp_path / "none" / "scrapemaster.db").open()


async def test_H49_a_newer_database_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "scrapemaster.db"
    store = SqliteStore(path)
    await store.open()
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(StoreBroken, match="newer ScrapeMaster"):
        await SqliteStore(path).open()


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk needs root"
)
async def test_H43_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_space(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        store = SqliteStore(disk / "scrapemaster.db")
        await store.open()
        job = await running_job(store, *(f"p{number}" for number in range(400)))
        committed = 0
        with pytest.raises(StoreUnavailable, match="no space left"):
            while batch := await store.frontier.lease(job.id, "h", 1, 9e9, now=2_000.0):
                await store.frontier.commit(
                    job.id, "h", [handled(batch[0], [os.urandom(10_000).hex().encode()])]
                )
                committed += 1
        assert await store.results.total(job.id) == committed > 10

        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        batch = await store.frontier.lease(job.id, "h2", 1, 30, now=3_000.0)
        await store.frontier.commit(job.id, "h2", [handled(batch[0], [b"{}"])])

        assert await store.results.total(job.id) == committed + 1
        assert (await store.frontier.recount(job.id)).items == committed + 1
        await store.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


async def test_H49_a_database_of_the_first_schema_is_brought_up_to_date_with_its_jobs(tmp_path, monkeypatch):
    path = tmp_path / "scrapemaster.db"
    with monkeypatch.context() as before:
        before.setattr(migrations, "STEPS", migrations.STEPS[:1])
        connection = sqlite3.connect(path)
        migrations.migrate(connection, path)
        spec = '{"selectors": {}, "config": {"max_pages": 3}, "meta": {"a": 1}, "selectors_asked": {}, "config_asked": {}}'
        connection.execute(
            "INSERT INTO jobs (id, owner, status, engine, priority, created_at, tags, urls, max_pages, spec) "
            "VALUES ('old', 'ada', 'pending', 'auto', 'normal', 1.0, '[]', '[\"http://site/\"]', 3, ?)",
            (spec,),
        )
        connection.execute("INSERT INTO tallies (job) VALUES (1)")
        connection.commit()
        connection.close()

    store = SqliteStore(path)
    await store.open()
    try:
        job = await store.jobs.transition("old", JobStatus.RUNNING, now=2.0)
        assert (job.meta, job.config.max_pages, job.webhook_url) == ({"a": 1}, 3, None)
        assert await store.webhooks.events(1) == []
    finally:
        await store.close()
