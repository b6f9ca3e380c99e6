import asyncio

from contract.conftest import failed, handled, make_job, request_of, retried, running_job
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import JobStatus, StopReason
from scrapemaster.domain.joblog import LOG_LINES, LogEvent, LogLevel


async def events(store, job, **query):
    return [line.event for line in await store.log.page(job.id, **query)]


async def test_a_job_life_is_told_in_order(store):
    job = make_job()
    await store.jobs.add(job, [request_of("a")])
    move = store.jobs.transition

    await move(job.id, JobStatus.RUNNING, now=1_001.0, engine_used="http")
    await move(job.id, JobStatus.PAUSED, now=1_002.0)
    await move(job.id, JobStatus.RUNNING, now=1_003.0)
    await store.jobs.warn(job.id, ["take care"])
    await store.jobs.warn(job.id, ["take care"])
    await move(job.id, JobStatus.FAILED, now=1_004.0, stop_reason=StopReason.BLOCKED, error="it says no")

    lines = await store.log.page(job.id)
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [(line.event, line.message) for line in lines] == [
        (LogEvent.CREATED, "created"),
        (LogEvent.STARTED, "started with the http engine"),
        (LogEvent.PAUSED, "paused"),
        (LogEvent.RESUMED, "resumed"),
        (LogEvent.WARNING, "take care"),
        (LogEvent.ENDED, "failed (blocked): it says no"),
    ]
    assert [lines[0].at, lines[1].at, lines[5].at] == [1_000.0, 1_001.0, 1_004.0]
    assert [lines[3].level, lines[4].level, lines[5].level] == [
        LogLevel.INFO,
        LogLevel.WARNING,
        LogLevel.ERROR,
    ]
    assert await store.log.last(job.id) == 6


async def test_a_job_that_is_over_gets_no_more_lines(store):
    job = await running_job(store)
    await store.jobs.transition(job.id, JobStatus.COMPLETED, now=1_002.0)

    await store.jobs.warn(job.id, ["too late"])
    await store.jobs.transition(job.id, JobStatus.RUNNING, now=1_003.0)

    assert (await events(store, job))[-1] is LogEvent.ENDED


async def test_failures_are_gathered_by_reason(store):
    job = await running_job(store, *(f"p{n}" for n in range(40)))
    leased = await store.frontier.lease(job.id, "h", 40, 30, now=2_000.0)
    await store.frontier.commit(
        job.id, "h", [handled(leased[0]), failed(leased[1]), failed(leased[2], "dns_failure")]
    )
    for one in leased[3:33]:
        await store.frontier.commit(job.id, "h", [failed(one)])
    await store.frontier.commit(job.id, "h", [retried(one, 0.0) for one in leased[33:]])

    lines = await store.log.page(job.id, after=2)

    assert [(line.event, line.message.partition(":")[0]) for line in lines] == [
        (LogEvent.PAGES_FAILED, "1 page failed, http_404"),
        (LogEvent.PAGES_FAILED, "1 page failed, dns_failure"),
        (LogEvent.PAGES_FAILED, "2 pages so far failed, http_404"),
        (LogEvent.PAGES_FAILED, "5 pages so far failed, http_404"),
        (LogEvent.PAGES_FAILED, "10 pages so far failed, http_404"),
        (LogEvent.PAGES_FAILED, "20 pages so far failed, http_404"),
        (LogEvent.PAGES_POSTPONED, "7 pages so far to be tried again, http_503"),
    ]
    assert lines[0].message.endswith(f"{leased[1].url} (d)")
    assert lines[0].at == 1_002.0


async def test_the_log_is_read_in_pages(store):
    job = await running_job(store)
    await store.jobs.warn(job.id, [f"w{n}" for n in range(5)])

    assert [line.seq for line in await store.log.page(job.id, after=2, limit=3)] == [3, 4, 5]
    assert await store.log.page(job.id, after=7) == []
    assert await store.log.page(job.id, after=10**9) == []


async def test_the_log_keeps_its_last_lines_and_never_gives_a_number_twice(store):
    job = await running_job(store)
    for start in range(0, LOG_LINES, 250):
        await store.jobs.warn(job.id, [f"w{start + n}" for n in range(250)])

    lines = await store.log.page(job.id, limit=5_000)

    assert [line.seq for line in lines] == list(range(3, LOG_LINES + 3))
    assert lines[-1].message == f"w{LOG_LINES - 1}"


async def test_logs_are_kept_apart_and_go_with_their_jobs(store):
    one, two = await running_job(store), await running_job(store)
    await asyncio.gather(*(store.jobs.warn(job.id, ["a", "b"]) for job in (one, two)))
    await store.jobs.transition(one.id, JobStatus.COMPLETED, now=1_002.0)

    await store.jobs.delete(one.id)

    assert await store.log.page(one.id) == []
    assert await store.log.last(one.id) == 0
    assert [line.seq for line in await store.log.page(two.id)] == [1, 2, 3, 4]
    assert await store.log.page(JobId("none")) == []


async def test_a_refused_commit_writes_no_line(store):
    job = await running_job(store, "a")
    (one,) = await store.frontier.lease(job.id, "h", 5, 30, now=2_000.0)
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=2_001.0)

    refused = await asyncio.gather(store.frontier.commit(job.id, "h", [failed(one)]), return_exceptions=True)

    assert isinstance(refused[0], Exception)
    assert (await events(store, job))[-1] is LogEvent.ENDED
