"""Limits by user and by address hold over all API processes of a fleet, to the request."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from scrapemaster.domain.errors import RedisUnavailable
from scrapemaster.domain.rate_limit import RateLimit
from scrapemaster.fleet.counters import RedisCounters
from scrapemaster.services.windows import Windows
from servers.fleet import Fleet
from servers.redis import RedisServer, sentinel

LEFT = "X-RateLimit-Remaining"
THEIRS = "a good password"


def answering(fleet):
    """The processes that answered requests."""
    text = requests.get(fleet.base.replace("/api/v1", "/metrics"), timeout=10).text
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return {sample.labels["process"] for sample in samples if "process" in sample.labels}


def at_once(ask, count=200, threads=50):
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(ask, range(count)))


def test_H38_two_hundred_at_once_over_two_processes_get_exactly_the_limit(redis_server):
    with Fleet(redis_server.url, 0, apis=2, SCRAPEMASTER_RATE_LIMIT="100/hour") as fleet:
        user = {"username": "ada", "password": THEIRS}
        assert fleet.http.post(f"{fleet.base}/users", json=user).status_code == 201
        token = requests.post(f"{fleet.base}/auth/login", json=user).json()["access_token"]

        def ask(_number):
            # A connection of its own each, so that both processes take some.
            return requests.get(
                f"{fleet.base}/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=60
            )

        answers = at_once(ask)
        while len(answering(fleet)) < 2:
            ask(0)

    passed = [int(answer.headers[LEFT]) for answer in answers if answer.status_code == 200]
    assert sorted(passed) == list(range(100))
    assert Counter(answer.status_code for answer in answers) == {200: 100, 429: 100}


def test_H30_wrong_passwords_are_counted_over_two_processes(redis_server):
    with Fleet(redis_server.url, 0, apis=2) as fleet:

        def guess(number):
            body = {"username": "nobody-here", "password": f"guess number {number}"}
            return requests.post(f"{fleet.base}/auth/login", json=body, timeout=60).status_code

        answers = at_once(guess, 30, 10)
        while len(answering(fleet)) < 2:
            guess(0)

    assert Counter(answers) == {401: 10, 429: 20}


async def windows_over(url):
    counters = RedisCounters(url)
    windows, limit = Windows(counters), RateLimit(2, 60)
    try:
        spent = [await windows.hit("key", limit) for _ in range(3)]
        await windows.refund("key", limit)
        again = await windows.hit("key", limit)
        await windows.clear("key")
        return [one.used for one in (*spent, again, await windows.hit("key", limit))], spent[-1]
    finally:
        await counters.close()


async def test_counters_in_redis_count_refund_and_forget(redis_server):
    used, last = await windows_over(redis_server.url)

    assert used == [1, 2, 3, 3, 1]
    assert last.exceeded
    assert 50 < last.wait() <= 60


async def test_counters_are_found_behind_sentinels_and_passwords():
    with RedisServer("--requirepass", "open-sesame") as server, sentinel(server, "open-sesame") as url:
        used, _ = await windows_over(url.replace("://", "://:open-sesame@"))

    assert used == [1, 2, 3, 3, 1]


async def test_H44_counters_say_so_when_redis_does_not_answer(redis_server):
    counters = RedisCounters(redis_server.url)
    windows, limit = Windows(counters), RateLimit(2, 60)
    await windows.hit("key", limit)

    redis_server.freeze()
    for _ in range(2):
        with pytest.raises(RedisUnavailable):
            await windows.hit("key", limit)
    redis_server.thaw()

    await counters.close()
