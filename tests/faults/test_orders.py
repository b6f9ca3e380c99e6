"""kill -9 while orders come in, by hand and by schedule: each is placed once."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest
import requests
from benchmarks.service import Service

JOB = {"url": "http://127.0.0.1:9/", "config": {"max_retries": 0}}
KEYS = 60
SCHEDULES = 80


@pytest.mark.slow
def test_H41_orders_with_keys_are_placed_once_however_often_the_service_is_killed(tmp_path):
    chance = random.Random(4_100)
    answered: dict[str, set[str]] = {f"key-{n}": set() for n in range(KEYS)}
    with Service(tmp_path) as service:

        def order(key):
            answer = requests.post(
                f"{service.base}/jobs",
                json={**JOB, "name": key},
                headers={**service.http.headers, "Idempotency-Key": key},
                timeout=30,
            )
            assert answer.status_code in {200, 201}, answer.text
            answered[key].add(answer.json()["id"])

        for _ in range(3):
            stop = threading.Event()

            def send(stop=stop):
                keys = random.Random(threading.get_ident())
                while not stop.is_set():
                    with suppress(requests.RequestException):
                        order(keys.choice(list(answered)))

            senders = [threading.Thread(target=send) for _ in range(6)]
            for sender in senders:
                sender.start()
            time.sleep(chance.uniform(0.05, 0.3))
            service.kill()
            stop.set()
            for sender in senders:
                sender.join()
            service.start()
        for key in answered:
            order(key)

        names = Counter(
            job["name"]
            for skip in range(0, KEYS * 2, 100)
            for job in service.http.get(f"{service.base}/jobs", params={"skip": skip, "limit": 100}).json()
        )
        assert names == Counter(list(answered))
        assert all(len(ids) == 1 for ids in answered.values())


@pytest.mark.slow
def test_H41_runs_that_are_due_are_made_once_however_often_the_crawler_is_killed(tmp_path):
    chance = random.Random(4_101)
    with Service(tmp_path) as service:
        for number in range(SCHEDULES):
            service.http.post(
                f"{service.base}/schedules",
                json={"cron": "0 0 1 1 *", "overlap": "allow", "job": {**JOB, "name": f"s{number}"}},
            ).raise_for_status()
        service.stop()
        with sqlite3.connect(tmp_path / "scrapemaster.db") as database:
            database.execute("UPDATE schedules SET next_run_at = ?", (time.time() - 60,))
        database.close()

        service.start()
        end = time.monotonic() + 120
        kills = 0
        while True:
            jobs = service.http.get(f"{service.base}/jobs", params={"limit": 100}).json()
            if len(jobs) >= SCHEDULES:
                break
            assert time.monotonic() < end
            pid = service.crawler_pid()
            if pid is not None and kills < 5:
                kills += 1
                time.sleep(chance.uniform(0.3, 0.9))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        assert Counter(job["name"] for job in jobs) == Counter(f"s{n}" for n in range(SCHEDULES))
        schedules = service.http.get(f"{service.base}/schedules", params={"limit": 100}).json()
        assert {one["last_job_id"] for one in schedules} == {job["id"] for job in jobs}
