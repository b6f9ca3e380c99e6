"""A fleet loses parts of itself in the middle of crawls: every row exactly once, and no process left behind."""

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import pytest
import requests
from benchmarks.tree import tree
from prometheus_client.parser import text_string_to_metric_families

from servers.fleet import Fleet, assert_every_row_once, children_of, crawl_order, gone, told_of, until
from servers.recorder import Recorder
from servers.redis import RedisServer, sentinel

KILLS = int(os.environ.get("SCRAPEMASTER_TEST_KILLS", "3"))
PAGES = 3_000
#: Seconds that Redis is out of reach.
OUTAGE = float(os.environ.get("SCRAPEMASTER_TEST_OUTAGE", "6"))
pytestmark = pytest.mark.slow


def spread(fleet, count):
    """Wait until so many workers have a slice under way."""
    return until(lambda: sum(worker["slices"] > 0 for worker in fleet.seen_workers()) == count)


@pytest.mark.soak
def test_two_workers_share_one_job(redis_server):
    with tree(3_000, delay=0.05) as url, Fleet(redis_server.url, 2) as fleet:
        job = fleet.create(**crawl_order(url))

        spread(fleet, 2)

        assert_every_row_once(fleet, job["id"], 3_000)


@pytest.mark.soak
@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_pausing_and_cancelling_reach_all_slices(redis_server, verb):
    with tree(100_000, delay=0.05) as url, Fleet(redis_server.url, 2) as fleet:
        job = fleet.create(**crawl_order(url))
        spread(fleet, 2)

        fleet.act(job["id"], verb)

        spread(fleet, 0)
        with sqlite3.connect(fleet.data_dir / "scrapemaster.db") as database:
            assert database.execute("SELECT count(*) FROM leases").fetchone() == (0,)
        fetched = fleet.job(job["id"])["pages_fetched"]
        time.sleep(2.0)
        assert fleet.job(job["id"])["pages_fetched"] == fetched


def test_H41_killing_workers_at_random_loses_and_doubles_no_row(redis_server):
    chance = random.Random(341)
    pages = 500 * KILLS
    # Not faster than 24 pages in 50 ms: the crawl is to last as long as the killing.
    with tree(pages, delay=0.05) as url, Fleet(redis_server.url, 3) as fleet:
        job = fleet.create(**crawl_order(url, concurrency=24))

        for _ in range(KILLS):
            time.sleep(chance.uniform(0.5, 2.0))
            for pid in children_of(chance.choice(fleet.workers).pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        assert_every_row_once(fleet, job["id"], pages)
        fleet.wait_for_workers(3)


def test_H44_redis_killed_without_persistence_in_mid_crawl_loses_no_row(redis_server):
    with tree(PAGES, delay=0.01) as url, Fleet(redis_server.url, 2) as fleet:
        job = fleet.create(**crawl_order(url))
        until(lambda: fleet.job(job["id"])["pages_fetched"] > 100)

        redis_server.kill()
        time.sleep(3.0)
        redis_server.start()

        assert_every_row_once(fleet, job["id"], PAGES)


def test_H44_redis_out_of_reach_in_mid_crawl_holds_all_up_and_loses_no_row(redis_server):
    with (
        tree(PAGES, delay=0.01) as url,
        Fleet(redis_server.url, 2, SCRAPEMASTER_RATE_LIMIT="1000000/hour") as fleet,
    ):
        job = fleet.create(**crawl_order(url))
        until(lambda: fleet.job(job["id"])["pages_fetched"] > 100)

        # Connections stand and nothing answers, as when a link is down.
        redis_server.freeze()
        frozen_at = time.monotonic()
        refused = 0
        while refused < 3 or time.monotonic() - frozen_at < OUTAGE:
            answer = fleet.http.get(f"{fleet.base}/jobs/{job['id']}", timeout=30)
            if answer.status_code == 503:
                refused += 1
                assert int(answer.headers["Retry-After"]) >= 1
            time.sleep(0.2)
        redis_server.thaw()

        until(lambda: fleet.http.get(f"{fleet.base}/jobs", timeout=30).status_code == 200)
        assert_every_row_once(fleet, job["id"], PAGES)


def test_H44_flushing_redis_in_mid_crawl_loses_no_row(redis_server):
    with tree(PAGES, delay=0.01) as url, Fleet(redis_server.url, 2) as fleet:
        job = fleet.create(**crawl_order(url))

        for _ in range(3):
            time.sleep(1.0)
            redis_server.flush()

        assert_every_row_once(fleet, job["id"], PAGES)


def test_H44_a_job_ordered_without_redis_is_kept_and_runs_when_it_is_back(redis_server):
    with tree(50) as url, Fleet(redis_server.url, 1) as fleet:
        redis_server.kill()
        until(lambda: fleet.system()["redis"] == "unhealthy")

        job = fleet.create(**crawl_order(url))
        assert fleet.job(job["id"])["status"] in {"pending", "running"}
        redis_server.start()

        assert_every_row_once(fleet, job["id"], 50)


def test_H44_without_redis_who_must_be_counted_is_told_to_come_again(redis_server):
    with Fleet(redis_server.url, 1, apis=2, SCRAPEMASTER_RATE_LIMIT="1000/hour") as fleet:
        redis_server.kill()

        def ask():
            return fleet.http.get(f"{fleet.base}/jobs", timeout=30)

        until(lambda: ask().status_code != 200)
        answer = ask()
        assert (answer.status_code, answer.json()["type"]) == (503, "redis_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        login = requests.post(
            f"{fleet.base}/auth/login", json={"username": "admin", "password": "wrong"}, timeout=30
        )
        assert (login.status_code, login.json()["type"]) == (503, "redis_unavailable")
        assert fleet.system()["redis"] == "unhealthy"

        redis_server.start()

        until(lambda: ask().status_code == 200)


def test_H41_a_job_whose_api_process_is_killed_before_it_is_queued_runs_all_the_same(redis_server):
    with tree(50) as url, Fleet(redis_server.url, 1) as fleet:
        (api,) = children_of(fleet._process.pid)
        # The job is stored, and the message to the workers hangs.
        redis_server.freeze()
        answers = []

        def order():
            with suppress(requests.ConnectionError):
                answers.append(fleet.http.post(f"{fleet.base}/jobs", json=crawl_order(url), timeout=60))

        asking = threading.Thread(target=order)
        asking.start()
        (job_id,) = until(lambda: stored_jobs(fleet))
        os.kill(api, signal.SIGKILL)
        asking.join()
        redis_server.thaw()

        assert not answers, "the API process was not killed in time"
        until(lambda: children_of(fleet._process.pid) not in ([], [api]))
        fleet._wait_ready()
        assert_every_row_once(fleet, job_id, 50)
        assert stored_jobs(fleet) == [job_id]


def stored_jobs(fleet):
    with closing(sqlite3.connect(fleet.data_dir / "scrapemaster.db", timeout=30)) as database:
        return [job_id for (job_id,) in database.execute("SELECT id FROM jobs")]


@pytest.mark.soak
def test_H44_a_redis_that_fails_over_to_its_replica_loses_no_row(redis_server):
    with (
        RedisServer("--replicaof", "127.0.0.1", str(redis_server.port)) as replica,
        sentinel(redis_server) as url,
        tree(PAGES, delay=0.01) as site,
        Fleet(url, 2) as fleet,
    ):
        until(lambda: b"master_link_status:up" in replica.say(b"INFO replication"))
        job = fleet.create(**crawl_order(site))
        until(lambda: fleet.job(job["id"])["pages_fetched"] > 100)

        redis_server.kill()

        until(lambda: b"role:master" in replica.say(b"INFO replication"))
        told_of(fleet, "redis", "healthy")
        fleet.wait_for_workers(2)
        assert_every_row_once(fleet, job["id"], PAGES)


def freeze_between_writes(process, path):
    """In the middle of a write it would keep the file's lock; its parent, which is not here, would kill it for that after a minute."""
    while True:
        process.send_signal(signal.SIGSTOP)
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(path, timeout=2)) as database:
            database.execute("BEGIN IMMEDIATE")
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def test_H45_what_a_worker_frozen_past_its_lease_commits_late_is_refused(redis_server):
    with tree(2_000, delay=0.05) as url, Fleet(redis_server.url, 2, bare=True) as fleet:
        job = fleet.create(**crawl_order(url))
        spread(fleet, 2)

        frozen = fleet.workers[0]
        freeze_between_writes(frozen, fleet.data_dir / "scrapemaster.db")
        job = fleet.finished(job["id"], 200)  # its pages are offered again when its lease has ended
        frozen.send_signal(signal.SIGCONT)

        fleet.wait_for_workers(2)
        spread(fleet, 0)
        assert_every_row_once(fleet, job["id"], 2_000)


def test_H48_a_stop_signal_ends_a_worker_soon_and_gives_its_leases_back(redis_server):
    with tree(5_000, delay=0.02) as url, Fleet(redis_server.url, 1) as fleet:
        job = fleet.create(**crawl_order(url))
        spread(fleet, 1)
        processes = [fleet.workers[0].pid, *children_of(fleet.workers[0].pid)]

        fleet.workers[0].terminate()
        assert fleet.workers[0].wait(timeout=30) == 0

        assert all(gone(pid) for pid in processes)
        with sqlite3.connect(fleet.data_dir / "scrapemaster.db") as database:
            assert database.execute("SELECT count(*) FROM leases").fetchone() == (0,)
        fleet.add_worker()
        assert_every_row_once(fleet, job["id"], 5_000)


def test_H41_no_process_outlives_its_parent(redis_server):
    with Fleet(redis_server.url, 1, apis=2) as fleet:
        parents = [fleet._process, *fleet.workers]
        children = [pid for parent in parents for pid in children_of(parent.pid)]
        assert len(children) == 3

        for parent in parents:
            parent.kill()
            parent.wait()

        assert all(gone(pid, 30) for pid in children)


@pytest.mark.soak
def test_H41_a_process_that_dies_is_started_again(redis_server):
    with Fleet(redis_server.url, 1) as fleet:
        (before,) = children_of(fleet._process.pid)

        os.kill(before, signal.SIGKILL)

        until(lambda: children_of(fleet._process.pid) not in ([], [before]))
        fleet._wait_ready()


@pytest.mark.soak
def test_the_delay_of_a_host_holds_over_jobs_and_workers(redis_server):
    delay, count = 0.2, 40
    with Recorder() as site, Fleet(redis_server.url, 2) as fleet:
        jobs = [
            fleet.create(
                urls=[site.url(f"{name}/{number}") for number in range(count // 2)],
                config={"delay": delay, "concurrency": 16, "respect_robots": False},
            )
            for name in "ab"
        ]
        for job in jobs:
            assert fleet.finished(job["id"])["pages_fetched"] == count // 2

    arrivals = site.arrivals
    assert len(arrivals) == count
    # A busy machine may notice one arrival late and the next in time; over all of them that evens out.
    assert arrivals[-1] - arrivals[0] >= (count - 1) * delay - delay / 2
    assert min(later - earlier for earlier, later in itertools.pairwise(arrivals)) >= delay / 2


@pytest.mark.soak
def test_the_concurrency_of_a_host_holds_over_jobs_and_workers(redis_server):
    with (
        Recorder(delay=0.05) as site,
        Fleet(redis_server.url, 2, SCRAPEMASTER_HOST_CONCURRENCY="5") as fleet,
    ):
        jobs = [
            fleet.create(
                urls=[site.url(f"{name}/{number}") for number in range(150)],
                config={"concurrency": 32, "respect_robots": False},
            )
            for name in "abc"
        ]
        for job in jobs:
            assert fleet.finished(job["id"])["pages_fetched"] == 150

    assert site.most <= 5


@pytest.mark.soak
def test_a_job_ends_for_those_who_wait_at_any_api_process(redis_server):
    with tree(300, delay=0.01) as url, Fleet(redis_server.url, 1, apis=3) as fleet:
        for _ in range(3):
            job = fleet.create(**crawl_order(url))
            assert fleet.job(job["id"], wait=60)["status"] == "completed"


@pytest.mark.soak
def test_any_api_process_has_the_figures_of_the_whole_fleet(redis_server):
    with tree(500, delay=0.02) as url, Fleet(redis_server.url, 2, apis=2) as fleet:
        job = fleet.create(**crawl_order(url))
        assert fleet.finished(job["id"])["pages_fetched"] == 500
        address = fleet.base.replace("/api/v1", "/metrics")

        def figures():
            # A new connection each, so that both processes are asked.
            text = requests.get(address, timeout=10).text
            samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
            pages = sum(
                sample.value
                for sample in samples
                if sample.name == "scrapemaster_worker_pages_total" and sample.labels["outcome"] == "handled"
            )
            return pages, {sample.labels["process"] for sample in samples if "process" in sample.labels}

        until(lambda: figures()[0] == 500 and len(figures()[1]) == 2)


@pytest.mark.parametrize("command", ["api", "worker", "all"])
def test_a_fleet_without_redis_says_what_to_set(command, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "SCRAPEMASTER_REDIS_URL"}

    ended = subprocess.run(
        [sys.executable, "-m", "scrapemaster", command, "--data-dir", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "SCRAPEMASTER_REDIS_URL is not set" in ended.stderr


@pytest.mark.soak
def test_a_redis_with_a_password_is_used_and_the_password_said_nowhere(capfd):
    with RedisServer("--requirepass", "open-sesame") as server:
        url = f"redis://:open-sesame@127.0.0.1:{server.port}/3"
        with tree(50) as site, Fleet(url, 1, SCRAPEMASTER_LOG_LEVEL="debug") as fleet:
            job = fleet.create(**crawl_order(site))
            assert_every_row_once(fleet, job["id"], 50)
            server.kill()
            until(lambda: fleet.system()["redis"] == "unhealthy")

    output = capfd.readouterr()
    assert "open-sesame" not in output.out + output.err


def test_embedded_and_fleet_do_not_share_a_data_folder(redis_server, tmp_path):
    with Fleet(redis_server.url, 0) as fleet:
        environment = {name: value for name, value in os.environ.items() if name != "SCRAPEMASTER_REDIS_URL"}
        ended = subprocess.run(
            [sys.executable, "-m", "scrapemaster", "serve", "--port", "0", "--data-dir", str(fleet.data_dir)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert ended.returncode == 2
