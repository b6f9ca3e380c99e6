"""The disk of the data folder is full in the middle of a crawl."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress

import pytest
from benchmarks.service import Service
from benchmarks.tree import tree

from servers.fleet import assert_every_row_once, crawl_order, until

pytestmark = pytest.mark.slow
#: More than can be fetched before the disk is full.
PAGES = 6_000


@pytest.fixture
def disk(tmp_path):
    """A small disk."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], check=False
    ).returncode:
        pytest.skip("this machine does not let us mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk):
    """Take all the space there is."""
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(65_536)):
            pass


def test_H43_a_full_disk_pauses_jobs_with_the_reason_and_they_go_on_when_there_is_space(disk):
    with tree(PAGES, delay=0.03) as url, Service(disk / "data") as service:
        job, other = (service.create(**crawl_order(url)) for _ in range(2))
        until(lambda: service.job(job["id"])["pages_fetched"] > 200)

        # It stands still meanwhile, so that the space it gives up in order to tell of it is not taken from it too.
        os.kill(service.crawler_pid(), signal.SIGSTOP)
        fill(disk)
        os.kill(service.crawler_pid(), signal.SIGCONT)

        for one in (job, other):
            paused = until(lambda one=one: stopped(service, one["id"]))
            assert paused["status"] == "paused"
            assert "there is no space left on the disk of" in paused["error"]
        fetched = service.job(job["id"])["pages_fetched"]
        log = service.http.get(f"{service.base}/jobs/{job['id']}/log", params={"limit": 1_000}).json()
        assert any("paused: there is no space left" in line["message"] for line in log)
        fill(disk)
        # More than the database has room for inside.
        large = {"urls": [f"http://127.0.0.1:9/{number}/{'x' * 1_000}" for number in range(9_000)]}
        answer = service.http.post(f"{service.base}/jobs", json=large, timeout=120)
        assert (answer.status_code, answer.json()["type"]) == (503, "store_unavailable"), answer.text[:200]
        assert "no space left" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) >= 1
        assert len(service.rows(job["id"])) == fetched
        assert service.crawler_pid() is not None

        (disk / "filler").unlink()
        for one in (job, other):
            assert service.act(one["id"], "resume")["error"] is None

        for one in (job, other):
            assert_every_row_once(service, one["id"], PAGES)
        until((disk / "data" / "reserve").exists)


def stopped(service, job_id):
    job = service.job(job_id)
    return job if job["status"] not in {"pending", "running"} else None
