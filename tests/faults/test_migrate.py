"""A service's store moved to MongoDB by the command, which is killed on the way."""

import subprocess
import sys
import time
from collections import Counter

import pytest
from benchmarks.service import Service
from benchmarks.tree import tree
from pymongo import MongoClient

from contract.conftest import handled, request_of, running_job
from scrapemaster.storage.sqlite.store import SqliteStore
from servers.stores import settings_for

PAGES = 1_000
#: Requests and rows of a job that is large enough to be killed in.
LARGE = 40_000


def command(source, target):
    return [sys.executable, "-m", "scrapemaster", "migrate", "--from", f"sqlite://{source}", "--to", target]


async def add_large_job(folder):
    store = SqliteStore(folder / "scrapemaster.db")
    await store.open()
    try:
        job = await running_job(store, "start", pages=10**6)
        for start in range(0, LARGE, 4_000):
            await store.frontier.add(job.id, [request_of(f"p{start + n}") for n in range(4_000)])
        for _ in range(LARGE // 4_000):
            leased = await store.frontier.lease(job.id, "h", 2_000, 30, now=2_000.0)
            await store.frontier.commit(job.id, "h", [handled(one, [b'{"n":1}'] * 2) for one in leased])
        return job.id
    finally:
        await store.close()


@pytest.mark.soak
async def test_H41_a_move_killed_on_the_way_goes_on_and_the_service_with_it(tmp_path):
    with settings_for("mongo") as settings, tree(PAGES, delay=0.003) as site:
        target = settings["SCRAPEMASTER_MONGODB_URL"]
        with Service(tmp_path) as service:
            job = service.create(
                url=site,
                selectors={"n": "p.n::text"},
                config={"follow_links": True, "max_pages": 10**6, "respect_robots": False},
            )
            while service.job(job["id"])["pages_fetched"] < PAGES // 4:
                time.sleep(0.02)
            token = service.http.headers["Authorization"]

            refused = subprocess.run(command(tmp_path, target), capture_output=True, text=True, check=False)
            assert refused.returncode == 2
            assert "another ScrapeMaster service is using the data folder" in refused.stderr
        large = await add_large_job(tmp_path)

        killed = {}
        for kind in ("requests", "rows"):
            with MongoClient(target) as client, subprocess.Popen(command(tmp_path, target)) as moving:
                schema = client.get_default_database()["schema"]
                wanted = {"_id": "moving", "progress.job": large, "progress.kind": kind}
                while schema.find_one(wanted) is None:
                    assert moving.poll() is None
                moving.kill()
            killed[kind] = moving.returncode
        assert killed == {"requests": -9, "rows": -9}
        moved = subprocess.run(command(tmp_path, target), capture_output=True, text=True, check=False)
        assert (moved.returncode, moved.stderr) == (0, "")
        assert "Going on with rows." in moved.stdout
        assert "jobs: 2 (" in moved.stdout

        with Service(tmp_path, **settings) as service:
            # Tokens, accounts and jobs are those of before.
            service.http.headers["Authorization"] = token
            assert service.job(large)["items_scraped"] == LARGE
            service.act(large, "cancel")
            ended = service.finished(job["id"])
            assert (ended["status"], ended["pages_fetched"], ended["pages_failed"]) == ("completed", PAGES, 0)
            assert Counter(int(row["data"]["n"]) for row in service.rows(job["id"])) == Counter(range(PAGES))
