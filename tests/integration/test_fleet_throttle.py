"""The throttle of a fleet over a real Redis: two workers in one process, each with a throttle of its own."""

import asyncio
import itertools
import time
from contextlib import asynccontextmanager

import pytest

from scrapemaster.fleet.throttle import GRANT_SECONDS, FleetThrottle
from servers.fleet import Fleet
from servers.recorder import Recorder


@asynccontextmanager
async def workers(server, count=2, concurrency=4):
    throttles = [FleetThrottle(server.url, f"w{number}", concurrency) for number in range(count)]
    for throttle in throttles:
        await throttle.__aenter__()
    try:
        yield throttles
    finally:
        for throttle in throttles:
            await throttle.__aexit__(None, None, None)


class Host:
    """Counts who is there at once, and when they came."""

    def __init__(self):
        self.here = self.most = 0
        self.arrivals = []
        self.by = []

    async def visit(self, throttle, delay=0.0, stay=0.01):
        await throttle.acquire("h", delay)
        self.arrivals.append(time.monotonic())
        self.by.append(throttle)
        self.here += 1
        self.most = max(self.most, self.here)
        await asyncio.sleep(stay)
        self.here -= 1
        throttle.release("h")

    def gaps(self):
        return [later - earlier for earlier, later in itertools.pairwise(self.arrivals)]


async def test_no_more_are_under_way_than_the_fleet_allows(redis_server):
    host = Host()

    async with workers(redis_server, 3, concurrency=4) as throttles:
        async with asyncio.timeout(60):
            await asyncio.gather(*(host.visit(throttle) for throttle in throttles for _ in range(60)))

    assert host.most <= 4
    assert len(host.arrivals) == 180


async def test_a_delay_keeps_starts_apart_across_workers(redis_server):
    host = Host()

    async with workers(redis_server, 3, concurrency=8) as throttles:
        async with asyncio.timeout(60):
            await asyncio.gather(*(host.visit(throttle, 0.05) for throttle in throttles for _ in range(8)))

    assert min(host.gaps()) >= 0.05
    assert len(set(host.by)) == 3


async def test_with_one_place_every_worker_gets_its_turn(redis_server):
    host, stop = Host(), asyncio.Event()

    async def greedy(throttle):
        while not stop.is_set():
            await host.visit(throttle, stay=0.005)

    async with workers(redis_server, 2, concurrency=1) as throttles:
        tasks = [asyncio.create_task(greedy(throttle)) for throttle in throttles for _ in range(4)]
        async with asyncio.timeout(60):
            # One, then the other, then the first again.
            while sum(1 for _ in itertools.groupby(host.by)) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*tasks)

    assert host.most == 1


async def test_who_asks_for_no_delay_is_not_held_up_by_those_who_do(redis_server):
    async with workers(redis_server) as (first, second), asyncio.timeout(30):
        await first.acquire("h", 60.0)
        delayed = asyncio.create_task(second.acquire("h", 60.0))

        await second.acquire("h")
        await first.acquire("h")

        assert not delayed.done()
        delayed.cancel()
        await asyncio.gather(delayed, return_exceptions=True)


async def test_a_pause_holds_for_every_worker(redis_server):
    async with workers(redis_server) as (first, second), asyncio.timeout(30):
        await first.acquire("h")
        await second.acquire("h")
        second.release("h")
        paused_at = time.monotonic()
        first.pause("h", 3.0)
        await asyncio.sleep(1.5)  # it is heard of with the next renewal

        await second.acquire("h")

        assert time.monotonic() - paused_at >= 2.9
        assert first.ready_at("h") > paused_at


async def test_a_host_whose_places_another_worker_has_is_told_to_be_busy_until_there_is_one(redis_server):
    async with workers(redis_server, concurrency=1) as (first, second), asyncio.timeout(30):
        await first.acquire("h")
        waiting = asyncio.create_task(second.acquire("h"))
        await asyncio.sleep(0.3)
        assert second.ready_at("h") > time.monotonic()
        assert second.ready_at("other") == 0.0

        first.release("h")
        await waiting
        assert second.ready_at("h") == 0.0
        second.release("h")


async def test_cancelling_gives_the_turn_back(redis_server):
    async with workers(redis_server, 1, concurrency=1) as (throttle,), asyncio.timeout(30):
        await throttle.acquire("h")
        waiting = [asyncio.create_task(throttle.acquire("h", delay)) for delay in (0.0, 0.05, 0.0)]
        await asyncio.sleep(0.1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        throttle.release("h")

        await throttle.acquire("h")
        throttle.release("h")
        await throttle.acquire("h", 0.05)


async def test_places_of_a_worker_that_died_are_free_again(redis_server):
    async with workers(redis_server, 1, concurrency=1) as (survivor,), asyncio.timeout(30):
        async with workers(redis_server, 1, concurrency=1) as (dead,):
            dead._worker = "dead"
            await dead.acquire("h")

        await survivor.acquire("h")


async def test_H44_without_redis_everybody_waits_and_then_goes_on(redis_server):
    async with workers(redis_server, 1) as (throttle,), asyncio.timeout(60):
        await throttle.acquire("h")
        redis_server.kill()
        await asyncio.sleep(GRANT_SECONDS + 0.5)
        waiting = [asyncio.create_task(throttle.acquire("h", delay)) for delay in (0.0, 0.01)]
        await asyncio.sleep(1.0)
        assert not any(task.done() for task in waiting)

        redis_server.start()

        await asyncio.gather(*waiting)


@pytest.mark.parametrize("delay", [0.0, 0.1])
async def test_H44_a_flushed_redis_lets_no_more_through(redis_server, delay):
    host, stop = Host(), asyncio.Event()

    async def busy(throttle):
        while not stop.is_set():
            await host.visit(throttle, delay, stay=0.02)

    async with workers(redis_server, 2, concurrency=3) as throttles:
        tasks = [asyncio.create_task(busy(throttle)) for throttle in throttles for _ in range(6)]
        for _ in range(3):
            await asyncio.sleep(1.0)
            redis_server.flush()
        before = len(host.arrivals)
        async with asyncio.timeout(30):
            while len(host.arrivals) < before + 10:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*tasks)

    assert host.most <= 3
    if delay:
        assert min(host.gaps()) >= delay


async def test_a_fast_crawl_does_not_ask_for_every_page(redis_server):
    host = Host()

    async with workers(redis_server, 1, concurrency=8) as (throttle,), asyncio.timeout(60):
        await host.visit(throttle)
        before = int((await throttle._redis.info("commandstats"))["cmdstat_evalsha"]["calls"])
        began = time.monotonic()
        for _ in range(50):
            await asyncio.gather(*(host.visit(throttle, stay=0) for _ in range(40)))
        seconds = time.monotonic() - began
        asked = int((await throttle._redis.info("commandstats"))["cmdstat_evalsha"]["calls"]) - before

    assert asked <= 10 + 10 * seconds
    assert len(host.arrivals) == 2_001


async def test_previews_keep_to_what_a_host_allows_the_fleet(redis_server):
    with Recorder() as site, Fleet(redis_server.url, 0, SCRAPEMASTER_HOST_CONCURRENCY="1") as fleet:

        def look(way):
            order = {"url": site.url("x"), "config": {"respect_robots": False}}
            return fleet.http.post(f"{fleet.base}/extract/{way}", json=order, timeout=90).json()

        async with workers(redis_server, 1, concurrency=1) as (throttle,):
            await throttle.acquire("127.0.0.1")
            looks = [asyncio.create_task(asyncio.to_thread(look, way)) for way in ("preview", "page")]
            await asyncio.sleep(2 * GRANT_SECONDS)
            assert not site.arrivals
            throttle.release("127.0.0.1")

            shown = await asyncio.gather(*looks)

        assert [(one["status"], one["error"]) for one in shown] == [(200, None)] * 2
        assert (len(site.arrivals), site.most) == (2, 1)
