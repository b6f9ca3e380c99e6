from dataclasses import replace

import pytest

from contract.conftest import failed, handled, make_job, request_of, retried, running_job
from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import JobConfig, JobStatus
from scrapemaster.domain.joblog import LogEvent
from scrapemaster.domain.outcome import Verdict

NOW = 2_000.0


def skipped(leased):
    return replace(failed(leased, "robots_denied"), verdict=Verdict.SKIPPED, fetched=False)


async def job_with_failures(store, **changes):
    """Of four pages one is handled, two failed and one is skipped."""
    job = await running_job(store, "a", "b", "c", "d", **changes)
    a, b, c, d = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(
        job.id, "h", [handled(a, [b"{}"], [request_of("e", 1)]), failed(b), failed(c), skipped(d)]
    )
    return job


async def test_failed_pages_are_put_back_as_if_never_tried(store):
    job = await running_job(store, "a", "b")
    leased = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(job.id, "h", [retried(one, 0.0) for one in leased])
    leased = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(job.id, "h", [failed(one) for one in leased])

    assert await store.frontier.retry_failed(job.id, now=NOW) == 2

    counters = await store.frontier.counters(job.id)
    assert (counters.queued, counters.failed, counters.attempted, counters.discovered) == (2, 0, 2, 2)
    assert await store.frontier.failures(job.id) == ([], 0)
    assert await store.frontier.reasons(job.id) == {}
    assert await store.frontier.next_due(job.id) == 0.0
    again = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    assert [(one.url, one.attempts, one.interruptions) for one in again] == [
        ("http://site/a", 0, 0),
        ("http://site/b", 0, 0),
    ]
    counters = await store.frontier.commit(job.id, "h", [handled(one) for one in again])
    assert (counters.fetched, counters.failed, counters.queued, counters.attempted) == (2, 0, 0, 2)
    assert await store.frontier.recount(job.id) == counters


async def test_skipped_pages_stay_skipped(store):
    job = await job_with_failures(store)

    assert await store.frontier.retry_failed(job.id, now=NOW) == 2

    assert await store.frontier.reasons(job.id) == {"robots_denied": 1}
    assert (await store.log.page(job.id))[-1].event is LogEvent.RETRIED


async def test_a_retry_is_not_held_back_by_max_pages(store):
    job = await running_job(store, "a", "b", "c", pages=2)
    leased = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(job.id, "h", [failed(one) for one in leased])
    assert await store.frontier.next_due(job.id) is None

    await store.frontier.retry_failed(job.id, now=NOW)

    assert len(await store.frontier.lease(job.id, "h", 9, 30, now=NOW)) == 2


async def test_nothing_is_put_back_where_nothing_failed_or_the_job_is_over(store):
    clean, over = await running_job(store, "a"), await job_with_failures(store)
    await store.jobs.transition(over.id, JobStatus.COMPLETED, now=NOW)
    before = await store.frontier.counters(over.id)

    assert await store.frontier.retry_failed(clean.id, now=NOW) == 0
    assert await store.frontier.retry_failed(over.id, now=NOW) == 0
    assert await store.frontier.counters(over.id) == before
    with pytest.raises(NotFound):
        await store.frontier.retry_failed(JobId("none"), now=NOW)


async def test_a_job_with_pages_put_back_does_not_end_as_idle(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(job.id, "h", [failed(one)])
    await store.frontier.retry_failed(job.id, now=NOW)

    assert await store.jobs.transition(job.id, JobStatus.FAILED, now=NOW, if_idle=True) is None
    (one,) = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)
    assert await store.jobs.transition(job.id, JobStatus.FAILED, now=NOW, if_idle=True) is None
    await store.frontier.commit(job.id, "h", [failed(one)])
    assert await store.jobs.transition(job.id, JobStatus.FAILED, now=NOW, if_idle=True) is not None


async def test_a_retry_job_is_made_of_the_failed_pages(store):
    old = await job_with_failures(store)
    await store.jobs.transition(old.id, JobStatus.COMPLETED, now=NOW)
    new = make_job(retry_of=old.id, scope_hosts=["www.site"])

    assert await store.jobs.add_retry(new, old.id) == 2

    stored = await store.jobs.get(new.id)
    assert (stored.retry_of, list(stored.scope_hosts), stored.counters.discovered) == (
        old.id,
        ["www.site"],
        2,
    )
    await store.jobs.transition(new.id, JobStatus.RUNNING, now=NOW)
    leased = await store.frontier.lease(new.id, "h", 9, 30, now=NOW)
    assert [one.url for one in leased] == ["http://site/b", "http://site/c"]
    counters = await store.frontier.recount(new.id)
    assert (counters.discovered, counters.leased, counters.fetched) == (2, 2, 0)
    assert str(old.id) in (await store.log.page(new.id))[0].message


async def test_a_retry_job_keeps_depths_and_finds_only_what_its_first_did_not_know(store):
    old = await running_job(store, "a")
    (a,) = await store.frontier.lease(old.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(
        old.id, "h", [handled(a, links=[request_of("deep", 1), request_of("x", 1)], alias=b"A" * 16)]
    )
    deep, x = await store.frontier.lease(old.id, "h", 9, 30, now=NOW)
    await store.frontier.commit(old.id, "h", [failed(deep), handled(x)])
    await store.jobs.transition(old.id, JobStatus.COMPLETED, now=NOW)
    new = make_job()
    await store.jobs.add_retry(new, old.id)
    await store.jobs.transition(new.id, JobStatus.RUNNING, now=NOW)

    (leased,) = await store.frontier.lease(new.id, "h", 9, 30, now=NOW)
    found = [request_of("a", 2), request_of("x", 2), request_of("deep", 2), request_of("new", 2)]
    counters = await store.frontier.commit(new.id, "h", [handled(leased, links=found)])

    assert leased.depth == 1
    assert (counters.discovered, counters.queued) == (2, 1)
    await store.jobs.delete(old.id)
    assert [one.url for one in await store.frontier.lease(new.id, "h", 9, 30, now=NOW)] == ["http://site/new"]


async def test_a_page_that_redirects_to_one_the_first_job_had_is_a_duplicate(store):
    old = await job_with_failures(store)
    new = make_job()
    await store.jobs.add_retry(new, old.id)
    await store.jobs.transition(new.id, JobStatus.RUNNING, now=NOW)
    one, _ = await store.frontier.lease(new.id, "h", 9, 30, now=NOW)

    counters = await store.frontier.commit(
        new.id, "h", [handled(one, [b"{}"], alias=request_of("a").fingerprint)]
    )

    assert (counters.skipped, counters.items) == (1, 0)


async def test_a_retry_job_knows_nothing_of_the_other_jobs(store):
    others = [await job_with_failures(store) for _ in range(10)]
    old = await job_with_failures(store)
    new = make_job()

    assert await store.jobs.add_retry(new, old.id) == 2

    assert await store.frontier.add(new.id, [request_of("a"), request_of("e"), request_of("f")]) == 1
    assert (await store.frontier.recount(others[0].id)).discovered == 5
    assert (await store.frontier.recount(new.id)).discovered == 3


async def test_a_retry_job_needs_a_failed_page(store):
    clean = await running_job(store, "a", config=JobConfig())
    new = make_job(retry_of=clean.id)

    with pytest.raises(Conflict, match="no failed page"):
        await store.jobs.add_retry(new, clean.id)
    with pytest.raises(NotFound):
        await store.jobs.add_retry(new, JobId("none"))

    assert await store.jobs.get(new.id) is None


async def test_costs_are_counted_with_the_commit(store):
    job = await running_job(store, "a", "b")
    one, two = await store.frontier.lease(job.id, "h", 9, 30, now=NOW)

    await store.frontier.commit(
        job.id, "h", [handled(one, elapsed=0.25, body_bytes=10), replace(failed(two), elapsed=1.5)]
    )

    counters = (await store.jobs.get(job.id)).counters
    assert (counters.fetch_ms, counters.bytes) == (1_750, 10)
