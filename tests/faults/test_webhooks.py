"""kill -9 between a job's end and the arrival of the message about it."""

import os
import random
import signal
import time
from collections import defaultdict
from contextlib import suppress

import pytest
from benchmarks.service import Service
from benchmarks.tree import tree
from receiver import receiver
from standardwebhooks import Webhook

ROUNDS = int(os.environ.get("SCRAPEMASTER_TEST_KILLS", "3"))


def kill_all(service):
    """End both processes at once, as a power cut would."""
    crawler = service.crawler_pid()
    service.kill()
    if crawler is not None:
        with suppress(ProcessLookupError):
            os.kill(crawler, signal.SIGKILL)


def order(url):
    return {"url": url, "selectors": {"n": "p.n::text"}, "config": {"respect_robots": False}}


def deliveries(service, webhook_id):
    answer = service.http.get(f"{service.base}/webhooks/{webhook_id}/deliveries", params={"limit": 100})
    answer.raise_for_status()
    return answer.json()


def all_delivered(service, webhook_id, count, seconds=60.0):
    end = time.monotonic() + seconds
    while True:
        found = deliveries(service, webhook_id)
        if len(found) == count and {one["state"] for one in found} == {"delivered"}:
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def register(service, url):
    answer = service.http.post(
        f"{service.base}/webhooks", json={"webhook_url": url, "events": ["job.completed"]}
    )
    answer.raise_for_status()
    return answer.json()


def test_H41_a_message_under_way_when_all_is_killed_is_sent_again_under_its_id():
    with tree(10) as site, receiver() as target, Service() as service:
        made = register(service, target.url("/hold"))
        job = service.create(**order(site))
        target.wait_for("/hold")

        kill_all(service)
        target.free.set()
        service.start()

        first, second = target.wait_for("/hold", 2)
        (delivery,) = all_delivered(service, made["id"], 1)
        assert (first.id, first.body) == (second.id, second.body) == (delivery["id"], first.body)
        assert second.data["id"] == job["id"]
        assert Webhook(made["secret"]).verify(second.body, second.headers)["type"] == "job.completed"
        assert len(target.messages) == 2


@pytest.mark.parametrize("crawler_alone", [True, False], ids=["crawler alone", "all of it at once"])
def test_H41_kills_around_the_ends_of_jobs_lose_and_double_no_message(crawler_alone):
    chance = random.Random(41 + crawler_alone)
    with tree(10) as site, receiver() as target, Service() as service:
        made = register(service, target.url("/ok"))
        jobs = []

        for _ in range(ROUNDS):
            jobs += [service.create(**order(site))["id"] for _ in range(5)]
            service.finished(jobs[-1])
            time.sleep(chance.uniform(0, 0.02))
            if crawler_alone:
                pid = service.crawler_pid()
                if pid is not None:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            else:
                kill_all(service)
                service.start()

        for job_id in jobs:
            service.finished(job_id)
        found = all_delivered(service, made["id"], len(jobs))
        ids = defaultdict(set)
        for message in target.messages:
            assert Webhook(made["secret"]).verify(message.body, message.headers)
            ids[message.data["id"]].add(message.id)
        assert {job_id: len(ids[job_id]) for job_id in jobs} == dict.fromkeys(jobs, 1)
        assert {one["id"] for one in found} == set().union(*ids.values())


def test_H48_a_message_under_way_does_not_keep_the_service_from_ending(capfd):
    with tree(10) as site, receiver() as target, Service() as service:
        made = register(service, target.url("/hold"))
        service.create(**order(site))
        target.wait_for("/hold")

        code = service.stop()

        assert code == 0
        assert "crawler.killed" not in capfd.readouterr().err
        target.free.set()
        service.start()
        (delivery,) = all_delivered(service, made["id"], 1)
        assert {message.id for message in target.messages} == {delivery["id"]}
