"""Live events and signs of life between processes, over a real Redis."""

import asyncio

from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.worker import Figures, WorkerReport
from scrapemaster.fleet.bus import RedisBus
from scrapemaster.fleet.registry import Registry
from scrapemaster.services.watchers import Watchers

JOB = JobId("job-1")
ENDED = Event(EventType.JOB_COMPLETED, JOB, 5.0)


async def heard(watchers, publish):
    """Publish until it is heard: a subscription takes a moment, and events before it are lost."""
    watching = asyncio.create_task(watchers.changed(JOB, 60))
    async with asyncio.timeout(50):
        while not watching.done():
            publish(ENDED)
            await asyncio.wait([watching], timeout=0.1)


async def test_an_event_of_one_process_wakes_those_who_wait_in_another(redis_server):
    async with RedisBus(redis_server.url) as one, RedisBus(redis_server.url) as other:
        watchers = Watchers(other.publish)
        other.subscribe(watchers.heard)

        await heard(watchers, one.publish)


async def test_H44_events_are_heard_again_after_redis_was_away(redis_server):
    async with RedisBus(redis_server.url) as one, RedisBus(redis_server.url) as other:
        watchers = Watchers()
        other.subscribe(watchers.heard)
        await heard(watchers, one.publish)

        redis_server.kill()
        one.publish(ENDED)
        redis_server.start()

        await heard(watchers, one.publish)


async def test_a_worker_is_listed_while_it_gives_signs_of_life(redis_server):
    report = WorkerReport("w1", "host", 7, "1.0", 1.0, 2.0, 3, 4.5, Figures(handled=6))

    async with Registry(redis_server.url) as watching, asyncio.timeout(30):
        async with Registry(redis_server.url, lambda: report):
            while await watching.reports() != [report]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            redis_server.flush()
            while await watching.reports() != [report]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

        assert await watching.reports() == []
