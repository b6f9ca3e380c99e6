"""How a job that is out of work ends."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from scrapemaster.crawl.isolation import Isolation
from scrapemaster.crawl.runner import JOINED_SECONDS, SliceRunner
from scrapemaster.crawl.slice import LEASE_SECONDS
from scrapemaster.domain.errors import GiveUpPage, StoreFull, StoreUnavailable
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig, JobStatus
from scrapemaster.domain.page import Page
from scrapemaster.domain.request import NewRequest
from scrapemaster.storage.sqlite.store import SqliteStore
from scrapemaster.tracing import OtelTracer

URL = "http://site/a"
ORDER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Site:
    """An engine over one page, which is broken at first."""

    name = "http"

    def __init__(self):
        self.broken = True
        self.asked = 0

    def open(self, job):
        return self

    async def fetch(self, url):
        self.asked += 1
        if self.broken:
            raise GiveUpPage("http_404", "not now", 404)
        return Page(url, 200, {"content-type": "text/html"}, b"<title>a</title>", 0.25, time.time())

    def ready_at(self, url):
        return 0.0

    async def close(self):
        pass


class Events:
    def publish(self, event):
        pass


class RetryJustBefore:
    """The store of jobs, where somebody retries the failed pages just before the job ends for the first time."""

    def __init__(self, store, site):
        self.store = store
        self.jobs = store.jobs
        self.site = site

    def __getattr__(self, name):
        return getattr(self.jobs, name)

    async def transition(self, job_id, target, **options):
        if options.get("if_idle") and self.site.broken:
            self.site.broken = False
            assert await self.store.frontier.retry_failed(job_id, now=time.time()) == 1
        return await self.jobs.transition(job_id, target, **options)


@asynccontextmanager
async def a_job(folder, site, **more):
    store = SqliteStore(folder / "runner.db")
    await store.open()
    job = Job(
        id=new_job_id(),
        owner=UserId("ada"),
        urls=[URL],
        selectors={},
        config=JobConfig(max_retries=0),
        created_at=time.time(),
        **more,
    )
    await store.jobs.add(job, [NewRequest.of(URL)])
    try:
        yield store, job
    finally:
        await store.close()


async def run_to_the_end(store, site, job, order=ORDER, **options):
    isolation = Isolation()
    runner = SliceRunner(store, lambda _: site, Events(), isolation, **options)
    while (again := await runner.run(job.id, order=order)) is not None:  # noqa: ASYNC110 -- how long is said by the runner
        await asyncio.sleep(again)
    await runner.close()
    await isolation.close()
    return await store.jobs.get(job.id)


async def test_pages_put_back_while_a_job_ends_are_fetched_before_it_ends(tmp_path):
    site = Site()
    async with a_job(tmp_path, site) as (store, job):
        store.jobs = RetryJustBefore(store, site)

        done = await run_to_the_end(store, site, job)

        assert site.asked == 2
        assert (done.status, done.counters.fetched, done.counters.failed) == (JobStatus.COMPLETED, 1, 0)


async def test_the_time_of_failed_pages_is_counted_too(tmp_path):
    site = Site()

    async def slow(url):
        error = GiveUpPage("http_404", "not now", 404)
        error.elapsed = 1.5
        raise error

    site.fetch = slow
    async with a_job(tmp_path, site) as (store, job):
        done = await run_to_the_end(store, site, job)

        assert (done.status, done.counters.fetch_ms) == (JobStatus.FAILED, 1_500)


async def test_pages_of_a_host_that_keeps_them_waiting_do_not_hold_up_those_of_others(tmp_path):
    slow = [f"http://slow/{number}" for number in range(6)]
    quick = [f"http://quick/{number}" for number in range(6)]
    order = []

    class Hosts(Site):
        """`slow` lets nobody begin before all pages of `quick` were asked for."""

        def ready_at(self, url):
            kept = url in slow and not set(quick) <= set(order)
            return time.monotonic() + 0.01 if kept else 0.0

        async def fetch(self, url):
            order.append(url)
            return await super().fetch(url)

    site = Hosts()
    site.broken = False
    async with a_job(tmp_path, site) as (store, one):
        job = replace(one, id=new_job_id(), config=JobConfig(max_pages=20, concurrency=6))
        await store.jobs.add(job, [NewRequest.of(url) for url in [*slow, *quick]])

        done = await run_to_the_end(store, site, job)

    assert (done.status, done.counters.fetched) == (JobStatus.COMPLETED, 12)
    assert sorted(order[:6]) == quick
    assert sorted(order[6:]) == slow


async def test_a_fault_in_when_a_page_may_begin_fails_that_page_alone(tmp_path):
    urls = [f"http://site/{number}" for number in range(6)]

    class Odd(Site):
        def ready_at(self, url):
            if url == urls[2]:
                raise RuntimeError("odd")
            return 0.0

    site = Odd()
    site.broken = False
    async with a_job(tmp_path, site) as (store, one):
        job = replace(one, id=new_job_id(), config=JobConfig(max_pages=20, concurrency=2))
        await store.jobs.add(job, [NewRequest.of(url) for url in urls])

        async with asyncio.timeout(30):
            done = await run_to_the_end(store, site, job)

    assert (done.status, done.counters.fetched, done.counters.failed) == (JobStatus.COMPLETED, 5, 1)


async def test_pages_that_all_wait_for_their_host_are_fetched_all_the_same(tmp_path):
    site = Site()
    site.broken = False
    site.ready_at = lambda _: time.monotonic() + 0.01
    async with a_job(tmp_path, site) as (store, job):
        done = await run_to_the_end(store, site, job)

    assert (done.status, done.counters.fetched) == (JobStatus.COMPLETED, 1)


@pytest.mark.parametrize(("age", "joins"), [(JOINED_SECONDS / 2, True), (JOINED_SECONDS * 2, False)])
async def test_the_slices_of_a_job_s_first_minute_are_in_the_trace_of_its_order(tmp_path, age, joins):
    kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    async with a_job(tmp_path, Site()) as (store, job):
        await store.jobs.transition(job.id, JobStatus.RUNNING, now=time.time() - age)

        await run_to_the_end(store, Site(), job, tracer=OtelTracer(provider))

    fetch, part = kept.get_finished_spans()
    order = int(ORDER[3:35], 16)
    assert (part.context.trace_id == order) is joins
    assert [link.context.trace_id for link in part.links] == ([] if joins else [order])
    assert dict(part.attributes) == {
        "scrapemaster.job_id": job.id,
        "scrapemaster.slice": 0,
        "scrapemaster.engine": "http",
        "scrapemaster.pages": 1,
        "scrapemaster.rows": 0,
    }
    assert (fetch.name, fetch.parent.span_id) == ("fetch", part.context.span_id)
    assert fetch.status.description == "http_404"


async def test_a_job_that_was_found_without_its_message_is_in_the_trace_of_what_ordered_it(tmp_path):
    kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    async with a_job(tmp_path, Site(), traceparent=ORDER) as (store, job):
        assert (await store.jobs.get(job.id)).traceparent == ORDER

        await run_to_the_end(store, Site(), job, order=None, tracer=OtelTracer(provider))

    assert {span.context.trace_id for span in kept.get_finished_spans()} == {int(ORDER[3:35], 16)}


class AwayFor:
    """The frontier of a store that is away for so many commits and releases, one after the other."""

    def __init__(self, frontier, times, error):
        self.frontier, self.left, self.error = frontier, times, error

    def __getattr__(self, name):
        return getattr(self.frontier, name)

    async def commit(self, *parts, **options):
        self._fail()
        return await self.frontier.commit(*parts, **options)

    async def release(self, *parts, **options):
        self._fail()
        return await self.frontier.release(*parts, **options)

    def _fail(self):
        if self.left:
            self.left -= 1
            raise self.error


async def test_H44_leases_are_given_back_as_soon_as_the_store_answers_again(tmp_path):
    site, isolation = Site(), Isolation()
    site.broken = False
    async with a_job(tmp_path, site) as (store, job):
        # The commit, the release after it, and two more tries of that.
        store.frontier = AwayFor(store.frontier, 4, StoreUnavailable("away"))
        runner = SliceRunner(store, lambda _: site, Events(), isolation)

        assert await runner.run(job.id) == 1.0
        assert (await store.frontier.counters(job.id)).leased == 1
        assert len(runner.debts) == 1
        async with asyncio.timeout(LEASE_SECONDS / 2):
            while (await store.frontier.counters(job.id)).leased:  # noqa: ASYNC110 -- the store tells nobody
                await asyncio.sleep(0.05)

        assert not runner.debts
        assert await runner.run(job.id) is None
        done = await store.jobs.get(job.id)
        assert (done.status, done.counters.fetched, site.asked) == (JobStatus.COMPLETED, 1, 2)
        await runner.close()
    await isolation.close()


async def test_H43_a_job_for_which_there_is_no_space_is_paused_with_the_reason(tmp_path):
    site, isolation = Site(), Isolation()
    site.broken = False
    async with a_job(tmp_path, site) as (store, job):
        store.frontier = AwayFor(store.frontier, 1, StoreFull("there is no space left on the disk"))
        runner = SliceRunner(store, lambda _: site, Events(), isolation)

        assert await runner.run(job.id) is None

        paused = await store.jobs.get(job.id)
        assert (paused.status, paused.error) == (JobStatus.PAUSED, "there is no space left on the disk")
        lines = await store.log.page(job.id, limit=10)
        assert lines[-1].message == "paused: there is no space left on the disk"
        await runner.close()
    await isolation.close()
