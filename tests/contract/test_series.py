from contract.conftest import failed, handled, retried, running_job
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.series import SPANS, Point


async def commit(store, job, *outcomes):
    await store.frontier.commit(job.id, "h", list(outcomes))


async def leased(store, job, count):
    return await store.frontier.lease(job.id, "h", count, 30, now=2_000.0)


async def test_a_commit_adds_one_point_with_all_it_did(store):
    job = await running_job(store, "a", "b", "c", "d")
    one, two, three, four = await leased(store, job, 4)

    await commit(
        store,
        job,
        handled(one, [b"{}", b"{}"], status=200, body_bytes=10, elapsed=0.25),
        failed(two, status=404, elapsed=0.5),
        retried(three, 5_000.0, status=503, elapsed=0.125),
        failed(four, "dns_failure"),
    )

    assert await store.series.points(job.id) == [
        Point(1, 1, ok=1, refused=1, broken=1, silent=1, items=2, bytes=10, fetch_ms=875, slowest_ms=500)
    ]


async def test_commits_of_one_span_are_added_up_and_others_kept_apart(store):
    job = await running_job(store, "a", "b", "c")
    one, two, three = await leased(store, job, 3)

    await commit(store, job, handled(one, elapsed=0.1))
    await commit(store, job, handled(two, elapsed=0.3))
    late = handled(three, elapsed=0.2)
    await store.frontier.commit(job.id, "h", [late.__class__(**{**fields(late), "fetched_at": 1_061.5})])

    assert [
        (point.at, point.pages, point.fetch_ms, point.slowest_ms)
        for point in await store.series.points(job.id)
    ] == [
        (1, 2, 400, 300),
        (60, 1, 200, 200),
    ]


def fields(outcome):
    return {name: getattr(outcome, name) for name in outcome.__slots__}


async def test_spans_grow_with_the_job(store):
    job = await running_job(store, "a", "b")
    one, two = await leased(store, job, 2)
    for request, age in ((one, SPANS), (two, 10 * SPANS)):
        outcome = handled(request)
        await store.frontier.commit(
            job.id, "h", [outcome.__class__(**{**fields(outcome), "fetched_at": 1_001.0 + age})]
        )

    points = await store.series.points(job.id)

    assert [(point.at, point.seconds) for point in points] == [(SPANS, 2), (10 * SPANS, 16)]


async def test_what_never_asked_a_server_is_no_point(store):
    job = await running_job(store, "a")
    (one,) = await leased(store, job, 1)

    await commit(store, job, failed(one, "robots_denied", fetched=False))

    assert await store.series.points(job.id) == []


async def test_courses_are_kept_apart_and_go_with_their_jobs(store):
    one, two = await running_job(store, "a"), await running_job(store, "a")
    for job in (one, two):
        await commit(store, job, handled((await leased(store, job, 1))[0]))
    await store.jobs.transition(one.id, JobStatus.COMPLETED, now=1_003.0)

    await store.jobs.delete(one.id)

    assert await store.series.points(one.id) == []
    assert len(await store.series.points(two.id)) == 1
    assert await store.series.points(JobId("none")) == []
