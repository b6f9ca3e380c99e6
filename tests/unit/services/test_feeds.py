import asyncio
from contextlib import aclosing, asynccontextmanager

from scrapemaster.domain.errors import StoreUnavailable
from scrapemaster.domain.ids import JobId, UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig, JobStatus
from scrapemaster.domain.joblog import LOG_LINES
from scrapemaster.services.feeds import Alive, End, Items, JobFeeds, LogEntry, Progress
from scrapemaster.storage.sqlite.store import SqliteStore


class Ticks:
    """A watch that lets the feed look when the test says so."""

    def __init__(self):
        self.tick = asyncio.Semaphore(0)

    async def changed(self, job_id, timeout):  # noqa: ASYNC109 -- the port's signature
        await self.tick.acquire()

    def publish(self, event):
        self.tick.release()


class Counting:
    """Counts the calls of a store's part, and fails those it is told to."""

    def __init__(self, part):
        self.part = part
        self.calls = 0
        self.failing = False

    def __getattr__(self, name):
        self.calls += 1
        if self.failing:
            raise StoreUnavailable("not now")
        return getattr(self.part, name)


@asynccontextmanager
async def a_job(folder, **options):
    store = SqliteStore(folder / "feeds.db")
    await store.open()
    job = Job(
        id=new_job_id(),
        owner=UserId("ada"),
        urls=["http://site/"],
        selectors={},
        config=JobConfig(),
        created_at=1_000.0,
    )
    await store.jobs.add(job, [])
    ticks = Ticks()
    try:
        yield store, job, ticks, JobFeeds(store, ticks, **options)
    finally:
        await store.close()


async def take(feed, count):
    return [await asyncio.wait_for(anext(feed), 30) for _ in range(count)]


async def end(store, job):
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=1_001.0)


async def test_many_watchers_share_one_look(tmp_path):
    async with a_job(tmp_path) as (store, job, ticks, feeds):
        watchers = [feeds.follow(job.id, 0) for _ in range(50)]
        for watcher in watchers:
            await take(watcher, 3)
        assert feeds.watching == 50
        store.jobs, store.log = Counting(store.jobs), Counting(store.log)
        await store.jobs.part.transition(job.id, JobStatus.RUNNING, now=1_001.0)
        ticks.publish(None)

        told = [await take(watcher, 2) for watcher in watchers]

        assert all(isinstance(one, LogEntry) and isinstance(two, Progress) for one, two in told)
        assert (store.jobs.calls, store.log.calls) == (1, 1)
        for watcher in watchers:
            await watcher.aclose()
        assert feeds.watching == 0


async def test_who_leaves_early_leaves_the_others_alone(tmp_path):
    async with a_job(tmp_path) as (store, job, ticks, feeds):
        one, two = feeds.follow(job.id, 0), feeds.follow(job.id, 0)
        first = asyncio.create_task(anext(one))
        await asyncio.sleep(0)
        first.cancel()

        assert isinstance((await take(two, 1))[0], LogEntry)

        await asyncio.gather(first, return_exceptions=True)
        await end(store, job)
        ticks.publish(None)
        assert isinstance([event async for event in two][-1], End)
        assert feeds.watching == 0


async def test_a_watcher_that_sleeps_misses_no_line(tmp_path):
    async with a_job(tmp_path) as (store, job, ticks, feeds):
        async with aclosing(feeds.follow(job.id, 0)) as slow, aclosing(feeds.follow(job.id, 0)) as quick:
            await take(slow, 1)
            await take(quick, 3)
            for number in range(LOG_LINES - 10):
                await store.jobs.warn(job.id, [f"w{number}"])
            ticks.publish(None)
            await take(quick, 100)
            await end(store, job)
            ticks.publish(None)
            quick_lines = [event.line.seq async for event in quick if isinstance(event, LogEntry)]
            slow_lines = [event.line.seq async for event in slow if isinstance(event, LogEntry)]

        assert quick_lines[-1] == slow_lines[-1] == LOG_LINES - 8
        assert slow_lines == list(range(2, LOG_LINES - 7))


async def test_equal_snapshots_are_not_sent_again_and_silence_is_filled(tmp_path):
    async with a_job(tmp_path, alive_every=0.05) as (_store, job, ticks, feeds):
        feed = feeds.follow(job.id, 0)
        first = await take(feed, 3)
        ticks.publish(None)
        more = await take(feed, 2)

        assert [type(event) for event in first + more] == [LogEntry, Progress, Items, Alive, Alive]
        await feed.aclose()


async def test_a_feed_ends_when_its_time_is_over_or_the_service_stops(tmp_path):
    async with a_job(tmp_path, lasts=0.1) as (_store, job, _ticks, feeds):
        timed = [type(event) async for event in feeds.follow(job.id, 0)]
        assert End not in timed

    async with a_job(tmp_path) as (_store, job, _ticks, feeds):
        feed = feeds.follow(job.id, 0)
        await take(feed, 3)
        feeds.close()
        assert [event async for event in feed] == []
        assert [event async for event in feeds.follow(job.id, 0)] == []
        assert feeds.watching == 0


async def test_a_store_that_fails_for_a_while_does_not_end_a_feed(tmp_path):
    async with a_job(tmp_path) as (store, job, ticks, feeds):
        feed = feeds.follow(job.id, 0)
        await take(feed, 3)
        jobs = store.jobs
        store.jobs = Counting(jobs)
        store.jobs.failing = True
        ticks.publish(None)
        while not store.jobs.calls:  # noqa: ASYNC110 -- there is nothing to wait for but the call
            await asyncio.sleep(0.01)
        store.jobs = jobs
        await end(store, job)
        ticks.publish(None)

        assert isinstance([event async for event in feed][-1], End)


async def test_a_deleted_job_ends_its_feeds(tmp_path):
    async with a_job(tmp_path) as (store, job, ticks, feeds):
        feed = feeds.follow(job.id, 0)
        await take(feed, 3)
        await end(store, job)
        await store.jobs.delete(job.id)
        ticks.publish(None)

        assert (await take(feed, 1)) == [End(None)]
        assert [event async for event in feeds.follow(JobId("none"), 0)] == [End(None)]
        await feed.aclose()
        assert feeds.watching == 0
