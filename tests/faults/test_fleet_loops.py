"""What workers do beside crawling, done by three of them at once and by those that die: once each."""

import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress

import pytest
from benchmarks.tree import tree
from receiver import receiver

from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.domain.ids import JobId
from servers.fleet import Fleet, children_of, crawl_order, until

pytestmark = pytest.mark.slow


def kill_a_worker(fleet, chance):
    for pid in children_of(chance.choice(fleet.workers).pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def register(fleet, url):
    """Have completed jobs told to a URL; the path of its deliveries."""
    body = {"webhook_url": url, "events": ["job.completed"]}
    answer = fleet.http.post(f"{fleet.base}/webhooks", json=body)
    answer.raise_for_status()
    return f"{fleet.base}/webhooks/{answer.json()['id']}/deliveries"


def all_delivered(fleet, deliveries, count):
    def states():
        found = fleet.http.get(deliveries, params={"limit": 100}).json()
        return Counter(one["state"] for one in found)

    until(lambda: states() == {"delivered": count}, 180)


@pytest.mark.soak
def test_three_workers_send_each_message_once(redis_server):
    with tree(10) as site, receiver() as target, Fleet(redis_server.url, 3) as fleet:
        deliveries = register(fleet, target.url("/ok"))
        jobs = [fleet.create(**crawl_order(site))["id"] for _ in range(20)]

        all_delivered(fleet, deliveries, len(jobs))

    assert Counter(message.data["id"] for message in target.messages) == Counter(jobs)


@pytest.mark.soak
def test_H41_messages_of_workers_that_are_killed_are_sent_under_their_ids(redis_server):
    chance = random.Random(44)
    with tree(10) as site, receiver() as target, Fleet(redis_server.url, 3) as fleet:
        deliveries = register(fleet, target.url("/hold"))
        jobs = [fleet.create(**crawl_order(site))["id"] for _ in range(10)]
        target.wait_for("/hold")
        for _ in range(3):
            kill_a_worker(fleet, chance)
            time.sleep(chance.uniform(0.2, 0.8))
        target.free.set()

        all_delivered(fleet, deliveries, len(jobs))

    assert {message.data["id"] for message in target.messages} == set(jobs)
    assert len({message.id for message in target.messages}) == len(jobs)


@pytest.mark.soak
def test_H41_runs_that_are_due_are_made_once_by_three_workers_that_are_killed(redis_server):
    count, chance = 40, random.Random(45)
    with Fleet(redis_server.url, 3) as fleet:
        for number in range(count):
            fleet.http.post(
                f"{fleet.base}/schedules",
                json={
                    "cron": "0 0 1 1 *",
                    "overlap": "allow",
                    "job": {"name": f"s{number}", "url": "http://127.0.0.1:9/", "config": {"max_retries": 0}},
                },
            ).raise_for_status()
        with closing(sqlite3.connect(fleet.data_dir / "scrapemaster.db", timeout=30)) as database, database:
            database.execute("UPDATE schedules SET next_run_at = ?", (time.time() - 60,))

        def jobs():
            return fleet.http.get(f"{fleet.base}/jobs", params={"limit": 100}).json()

        for _ in range(3):
            time.sleep(chance.uniform(0.1, 0.5))
            kill_a_worker(fleet, chance)
        until(lambda: len(jobs()) >= count)
        fleet.wait_for_workers(3)
        time.sleep(2.0)

        assert Counter(job["name"] for job in jobs()) == Counter(f"s{n}" for n in range(count))


@pytest.mark.soak
def test_H47_a_worker_that_hangs_at_a_page_is_replaced_and_the_page_alone_is_blamed(redis_server):
    with tree(300, delay=0.02) as url, Fleet(redis_server.url, 1) as fleet:
        fleet.finished(fleet.create(url=url)["id"])
        (before,) = children_of(fleet.workers[0].pid)
        recorder = FlightRecorder(fleet.data_dir / "workers" / "0.page")

        # As a worker leaves it that does not come back from a page.
        recorder.begin(JobId("some job"), 7)

        until(lambda: children_of(fleet.workers[0].pid) not in ([], [before]))
        fleet.wait_for_workers(1)
        job = fleet.finished(fleet.create(**crawl_order(url))["id"])
        assert (job["status"], job["pages_fetched"]) == ("completed", 300)
        assert recorder.under_way() is None
        recorder.close()


@pytest.mark.soak
def test_H41_what_a_killed_worker_held_is_worked_on_as_soon_as_it_is_back(redis_server, capfd):
    with tree(400, delay=0.1) as url, Fleet(redis_server.url, 1, SCRAPEMASTER_LOG_FORMAT="json") as fleet:
        job = fleet.create(**crawl_order(url, concurrency=4))
        until(lambda: fleet.job(job["id"])["pages_fetched"] > 20)

        (pid,) = children_of(fleet.workers[0].pid)
        os.kill(pid, signal.SIGKILL)

        assert fleet.finished(job["id"])["pages_fetched"] == 400

    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "took_over" in line]
    assert [line["event"] for line in lines] == ["worker.took_over"]
    assert lines[0]["leases"] > 0
