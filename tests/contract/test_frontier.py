import asyncio

import pytest

from contract.conftest import failed, handled, make_job, request_of, retried, running_job
from scrapemaster.domain.errors import LeaseLost, NotFound
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.request import fingerprint

NOW = 2_000.0


async def lease(store, job, holder="h", limit=100, seconds=30.0, now=NOW):
    return await store.frontier.lease(job.id, holder, limit, seconds, now=now)


async def rows(store, job):
    return [row.data async for batch in store.results.stream(job.id) for row in batch]


async def test_adding_twice_changes_nothing(store):
    job = await running_job(store, "a")

    assert await store.frontier.add(job.id, [request_of("a"), request_of("b"), request_of("b")]) == 1
    assert await store.frontier.add(job.id, [request_of("b")]) == 0
    assert (await store.frontier.counters(job.id)).discovered == 2


async def test_adding_to_an_unknown_job_is_said(store):
    with pytest.raises(NotFound):
        await store.frontier.add(JobId("nobody"), [request_of("a")])


async def test_adding_to_a_job_that_is_over_adds_nothing(store):
    job = await running_job(store, "a")
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=NOW)

    assert await store.frontier.add(job.id, [request_of("b")]) == 0
    assert (await store.frontier.counters(job.id)).discovered == 1


async def test_leasing_goes_by_priority_and_then_by_age(store):
    job = await running_job(store)
    await store.frontier.add(
        job.id,
        [request_of("low", priority=-1), request_of("a"), request_of("b"), request_of("high", priority=5)],
    )

    first = await lease(store, job, limit=2)
    second = await lease(store, job, limit=2)

    assert [one.url.rpartition("/")[2] for one in first + second] == ["high", "a", "b", "low"]


async def test_a_leased_request_is_not_offered_again_until_its_lease_ends(store):
    job = await running_job(store, "a")

    (one,) = await lease(store, job, "h1")

    assert await lease(store, job, "h2", now=NOW + 29) == []
    assert await store.frontier.next_due(job.id) == NOW + 30
    (again,) = await lease(store, job, "h2", now=NOW + 31)
    assert (again.url, again.interruptions, again.attempts) == (one.url, 1, 0)


async def test_renewing_keeps_a_lease(store):
    job = await running_job(store, "a")
    await lease(store, job, "h1")

    await store.frontier.renew(job.id, "h1", 30, now=NOW + 20)

    assert await lease(store, job, "h2", now=NOW + 40) == []
    assert len(await lease(store, job, "h2", now=NOW + 51)) == 1


async def test_a_lost_lease_stays_lost_when_renewed(store):
    job = await running_job(store, "a")
    (one,) = await lease(store, job, "h1")
    await lease(store, job, "h2", now=NOW + 31)

    await store.frontier.renew(job.id, "h1", 30, now=NOW + 32)

    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h1", [handled(one)])


async def test_a_commit_writes_rows_links_marks_and_counters_together(store):
    job = await running_job(store, "a")
    (one,) = await lease(store, job)

    counters = await store.frontier.commit(
        job.id,
        "h",
        [handled(one, [b'{"n":1}', b'{"n":2}'], [request_of("b", 1), request_of("a")], body_bytes=7)],
    )

    assert counters == await store.frontier.counters(job.id)
    assert (counters.discovered, counters.queued, counters.leased, counters.fetched) == (2, 1, 0, 1)
    assert (counters.items, counters.bytes, counters.attempted) == (2, 7, 1)
    assert await rows(store, job) == [b'{"n":1}', b'{"n":2}']
    (two,) = await lease(store, job)
    assert (two.url, two.depth) == ("http://site/b", 1)


@pytest.mark.parametrize("late", [False, True], ids=["by another holder", "after its lease ended"])
async def test_H45_a_commit_without_the_lease_is_refused_whole(store, late):
    job = await running_job(store, "a", "b")
    one, two = await lease(store, job, "h1")
    if late:
        await lease(store, job, "h2", limit=1, now=NOW + 31)

    with pytest.raises(LeaseLost):
        await store.frontier.commit(
            job.id, "h1" if late else "h2", [handled(two, [b"{}"], [request_of("c")]), handled(one, [b"{}"])]
        )

    counters = await store.frontier.counters(job.id)
    assert (counters.items, counters.fetched, counters.discovered) == (0, 0, 2)
    assert await rows(store, job) == []


async def test_committing_the_same_page_twice_doubles_nothing(store):
    job = await running_job(store, "a")
    (one,) = await lease(store, job)
    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"])])

    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h", [handled(one, [b"{}"])])

    assert await store.results.total(job.id) == 1


async def test_a_commit_to_a_job_that_is_over_or_gone_is_refused(store):
    job = await running_job(store, "a", "b")
    one, two = await lease(store, job)
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=NOW)

    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h", [handled(one, [b"{}"])])
    await store.jobs.delete(job.id)
    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h", [handled(two, [b"{}"])])


async def test_a_commit_to_a_paused_job_is_kept(store):
    job = await running_job(store, "a")
    (one,) = await lease(store, job)
    await store.jobs.transition(job.id, JobStatus.PAUSED, now=NOW)

    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"])])

    assert await store.results.total(job.id) == 1


async def test_nothing_is_leased_from_a_job_that_does_not_run(store):
    job = make_job()
    await store.jobs.add(job, [request_of("a")])

    assert await lease(store, job) == []
    await store.jobs.transition(job.id, JobStatus.RUNNING, now=NOW)
    await store.jobs.transition(job.id, JobStatus.PAUSED, now=NOW)
    assert await lease(store, job) == []


async def test_a_retry_is_due_at_its_time_with_one_more_attempt(store):
    job = await running_job(store, "a")
    (one,) = await lease(store, job)

    await store.frontier.commit(job.id, "h", [retried(one, NOW + 60)])

    assert await store.frontier.next_due(job.id) == NOW + 60
    assert await lease(store, job, now=NOW + 59) == []
    (again,) = await lease(store, job, now=NOW + 61)
    assert (again.attempts, again.interruptions) == (1, 0)


async def test_released_requests_are_offered_again_without_an_attempt(store):
    job = await running_job(store, "a", "b")
    one, two = await lease(store, job)

    await store.frontier.release(job.id, "h", [one.key], due_at=NOW + 10)
    await store.frontier.release(job.id, "h")

    (again,) = await lease(store, job)
    assert (again.url, again.attempts, again.interruptions) == (two.url, 0, 0)
    assert len(await lease(store, job, now=NOW + 11)) == 1


async def test_leases_of_another_are_not_released(store):
    job = await running_job(store, "a")
    (one,) = await lease(store, job, "h1")

    await store.frontier.release(job.id, "h2", [one.key])
    await store.frontier.release(job.id, "h2")

    assert await lease(store, job, "h2") == []


async def test_release_all_gives_everything_back_as_interrupted(store):
    job = await running_job(store, "a", "b")
    other = await running_job(store, "c")
    await lease(store, job)
    await lease(store, other)

    assert await store.frontier.release_all() == 3

    assert [one.interruptions for one in await lease(store, job, "h2")] == [1, 1]


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_never_more_than_max_pages_are_leased_whoever_asks(store, limit):
    job = await running_job(store, *"abcdefghij", pages=limit)

    got = await asyncio.gather(*(lease(store, job, f"h{number}", limit=2) for number in range(8)))

    assert sum(map(len, got)) == limit
    assert await store.frontier.next_due(job.id) == NOW + 30


async def test_a_page_that_never_asked_the_server_leaves_its_place_to_another(store):
    job = await running_job(store, "a", "b", pages=1)
    (one,) = await lease(store, job)

    await store.frontier.commit(
        job.id,
        "h",
        [Outcome(request=one, verdict=Verdict.SKIPPED, url=one.url, fetched=False, reason="robots_denied")],
    )

    (two,) = await lease(store, job)
    await store.frontier.commit(job.id, "h", [handled(two)])
    assert await lease(store, job) == []
    assert await store.frontier.next_due(job.id) is None


async def test_a_retry_is_leased_though_the_budget_is_spent(store):
    job = await running_job(store, "a", "b", pages=1)
    (one,) = await lease(store, job)
    await store.frontier.commit(job.id, "h", [retried(one, NOW + 1)])

    assert await lease(store, job) == []
    (again,) = await lease(store, job, now=NOW + 2)
    assert again.url == one.url


async def test_a_page_reached_under_two_names_is_stored_once(store):
    job = await running_job(store, "a", "b", "target")
    one, two, target = await lease(store, job)
    alias = fingerprint("http://site/elsewhere")

    await store.frontier.commit(job.id, "h", [handled(one, [b'"one"'], alias=alias)])
    await store.frontier.commit(
        job.id, "h", [handled(two, [b'"two"'], [request_of("x")], alias=alias), handled(target, [b'"t"'])]
    )

    assert await rows(store, job) == [b'"one"', b'"t"']
    counters = await store.frontier.counters(job.id)
    assert (counters.fetched, counters.skipped, counters.discovered) == (2, 1, 3)
    assert await store.frontier.reasons(job.id) == {"duplicate": 1}
    assert await store.frontier.add(job.id, [request_of("elsewhere")]) == 0


async def test_a_redirect_to_a_known_request_leaves_it_the_rows(store):
    job = await running_job(store, "a", "target")
    one, target = await lease(store, job)

    await store.frontier.commit(
        job.id, "h", [handled(one, [b'"one"'], alias=fingerprint("http://site/target"))]
    )
    await store.frontier.commit(job.id, "h", [handled(target, [b'"t"'])])

    assert await rows(store, job) == [b'"t"']


async def test_failures_are_listed_oldest_first_and_counted(store):
    job = await running_job(store, *"abc")
    one, two, three = await lease(store, job)
    await store.frontier.commit(
        job.id, "h", [failed(one, status=404), handled(two), failed(three, "timeout", fetched=True)]
    )

    pages, total = await store.frontier.failures(job.id)
    second, _ = await store.frontier.failures(job.id, skip=1, limit=1)

    assert [(page.url, page.reason, page.status, page.state) for page in pages] == [
        ("http://site/a", "http_404", 404, "failed"),
        ("http://site/c", "timeout", None, "failed"),
    ]
    assert total == 2
    assert second == pages[1:]
    assert await store.frontier.reasons(job.id) == {"http_404": 1, "timeout": 1}


async def test_counting_anew_gives_what_commits_counted(store):
    job = await running_job(store, *"abcd")
    one, two, three, _four = await lease(store, job)
    counted = await store.frontier.commit(
        job.id,
        "h",
        [
            handled(one, [b"{}", b"{}"], [request_of("x"), request_of("y")], body_bytes=5),
            failed(two),
            retried(three, 0.0),
        ],
    )

    recounted = await store.frontier.recount(job.id)

    assert recounted == counted


async def test_nothing_is_due_when_all_is_done(store):
    job = await running_job(store, "a")
    assert await store.frontier.next_due(job.id) == 0.0
    (one,) = await lease(store, job)
    await store.frontier.commit(job.id, "h", [handled(one)])

    assert await store.frontier.next_due(job.id) is None


async def test_unknown_jobs_have_nothing(store):
    counters = await store.frontier.counters(JobId("nobody"))

    assert (counters.discovered, counters.items) == (0, 0)
    assert await store.frontier.lease(JobId("nobody"), "h", 5, 30, now=NOW) == []
    assert await store.frontier.next_due(JobId("nobody")) is None


async def test_jobs_do_not_see_each_others_requests(store):
    one = await running_job(store, "a")
    two = await running_job(store, "a", "b")

    assert len(await lease(store, one)) == 1
    assert len(await lease(store, two)) == 2
    await store.jobs.transition(one.id, JobStatus.CANCELLED, now=NOW)
    await store.jobs.delete(one.id)
    assert (await store.frontier.counters(two.id)).discovered == 2


async def test_many_holders_at_once_share_without_overlap(store):
    names = [f"p{number}" for number in range(300)]
    job = await running_job(store, *names)

    async def work(holder):
        done = []
        while batch := await lease(store, job, holder, limit=7):
            await store.frontier.commit(job.id, holder, [handled(one, [one.url.encode()]) for one in batch])
            done += [one.url for one in batch]
        return done

    done = await asyncio.gather(*(work(f"h{number}") for number in range(6)))

    urls = [url for part in done for url in part]
    assert len(urls) == len(set(urls)) == 300
    assert len(set(await rows(store, job))) == await store.results.total(job.id) == 300


@pytest.mark.parametrize("name", ['{"$gt": ""}', "' OR 1=1 --", "a.b$c", "\u2028", "😀", "%00"])
async def test_H32_operators_and_quotes_are_text(store, name):
    job = await running_job(store, name)
    (one,) = await lease(store, job)
    data = ('{"' + name.replace('"', '\\"') + '": "$where"}').encode()

    await store.frontier.commit(job.id, "h", [handled(one, [data])])

    assert await rows(store, job) == [data]


async def test_a_dead_workers_leases_are_given_back_and_no_others(store):
    job = await running_job(store, *"abcd")
    other = await running_job(store, "e")
    dead = [*await lease(store, job, "w1/s1", limit=1), *await lease(store, job, "w1/s2", limit=1)]
    await lease(store, job, "w10/s1", limit=1)
    await lease(store, job, "w1", limit=1)
    await lease(store, other, "w1/s3")

    assert await store.frontier.release_all(worker="w1", blamed=(job.id, dead[0].key)) == 3

    again = await lease(store, job, "h")
    assert {one.key: one.interruptions for one in again} == {dead[0].key: 1, dead[1].key: 0}
    assert [one.interruptions for one in await lease(store, other, "h")] == [0]
    assert (await store.frontier.counters(job.id)).leased == 4


async def test_a_worker_that_holds_nothing_gives_nothing_back(store):
    job = await running_job(store, "a")
    await lease(store, job, "w1/s1")

    assert await store.frontier.release_all(worker="w2") == 0
    assert await store.frontier.release_all(worker="%") == 0

    assert await lease(store, job, "h") == []


async def test_what_is_committed_after_a_pause_does_not_give_the_job_a_rate_again(store):
    job = await running_job(store, "a", "b")
    first, second = await lease(store, job)
    await store.frontier.commit(job.id, "h", [handled(first)], rate=7.0)
    running = await store.jobs.get(job.id)
    await store.jobs.transition(job.id, JobStatus.PAUSED, now=NOW)

    await store.frontier.commit(job.id, "h", [handled(second)], rate=9.0)

    paused = await store.jobs.get(job.id)
    assert (running.rate, paused.rate) == (7.0, 0.0)
