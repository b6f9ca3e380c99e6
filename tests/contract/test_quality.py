"""What a store keeps of the data's quality: fill, evidence, the run before, and who is to blame for a death."""

import pytest

from contract.conftest import failed, handled, make_job, retried, running_job
from scrapemaster.domain.errors import LeaseLost
from scrapemaster.domain.job import JobStatus

EVIDENCE = {"mark": "m", "title": "t\ud800", "text": "x" * 2_048}


async def leased(store, job, holder="h", limit=10, now=1_002.0):
    return await store.frontier.lease(job.id, holder, limit, 30.0, now=now)


async def test_fill_adds_up_over_commits_with_the_items_it_counts(store):
    job = await running_job(store, "a", "b", "c")
    one, two, three = await leased(store, job)

    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"], fill={"p": 1, "a.b": 1})])
    await store.frontier.commit(
        job.id, "h", [handled(two, [b"{}", b"{}"], fill={"p": 2, "q$.": 1}), failed(three)]
    )

    stored = await store.jobs.get(job.id)
    assert stored.fill == {"p": 3, "a.b": 1, "q$.": 1}
    assert stored.counters.items == 3
    await store.frontier.recount(job.id)
    assert (await store.jobs.get(job.id)).fill == stored.fill


async def test_a_refused_commit_and_a_duplicate_page_fill_nothing(store):
    job = await running_job(store, "a", "b")
    one, two = await leased(store, job)
    await store.frontier.commit(job.id, "h", [handled(one, [b"{}"], fill={"p": 1})])

    with pytest.raises(LeaseLost):
        await store.frontier.commit(job.id, "h", [handled(one, [b"{}"], fill={"p": 1})])
    await store.frontier.commit(job.id, "h", [handled(two, [b"{}"], fill={"p": 1}, alias=one.fingerprint)])

    assert (await store.jobs.get(job.id)).fill == {"p": 1}


async def test_evidence_is_shown_with_the_failure_and_replaced_by_the_next(store):
    job = await running_job(store, "a", "b")
    one, two = await leased(store, job)
    await store.frontier.commit(
        job.id, "h", [retried(one, 0.0, evidence=EVIDENCE), failed(two, evidence=EVIDENCE)]
    )
    (again,) = await leased(store, job)
    await store.frontier.commit(job.id, "h", [failed(again)])

    pages, _ = await store.frontier.failures(job.id)

    assert {page.url[-1]: page.evidence for page in pages} == {"a": None, "b": EVIDENCE}


async def test_the_run_before_is_the_newest_completed_one_of_the_same_owner_and_name(store):
    async def run(created_at, target=JobStatus.COMPLETED, **changes):
        job = await running_job(store, created_at=created_at, **{"name": "nightly", **changes})
        await store.jobs.transition(job.id, target, now=2_000.0)
        return job

    await run(1_000.0)
    wanted = await run(1_001.0)
    await run(1_002.0, JobStatus.FAILED)
    await run(1_003.0, owner="bob")
    await run(1_004.0, name="other")
    job = await run(1_005.0)
    await run(1_006.0)

    assert (await store.jobs.previous(job)).id == wanted.id
    assert await store.jobs.previous(make_job(name=None)) is None
    assert await store.jobs.previous(make_job(name="new")) is None


async def test_H47_only_the_blamed_request_counts_as_interrupted(store):
    job = await running_job(store, "a", "b", "c")
    other = await running_job(store, "d")
    first = (await leased(store, job))[0]
    await leased(store, other, "g")

    assert await store.frontier.release_all(blamed=(job.id, first.key)) == 4

    again = {one.key: one.interruptions for one in await leased(store, job)}
    assert again[first.key] == 1
    assert sorted(again.values()) == [0, 0, 1]
    assert [one.interruptions for one in await leased(store, other)] == [0]


async def test_H47_all_are_interrupted_when_nobody_is_to_blame(store):
    job = await running_job(store, "a", "b")
    await leased(store, job)

    await store.frontier.release_all()

    assert [one.interruptions for one in await leased(store, job)] == [1, 1]
