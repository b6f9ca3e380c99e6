import asyncio
from dataclasses import replace

import pytest

from contract.conftest import handled, make_job, request_of, running_job
from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import JobId, UserId, uuid7
from scrapemaster.domain.job import JobStatus, StopReason
from scrapemaster.domain.webhook import (
    WEBHOOK_EVENTS,
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryState,
    Endpoint,
    EndpointId,
    Settlement,
    delivery_id,
    new_endpoint_id,
    new_secret,
)

ADA = UserId("ada")
NOW = 2_000.0
LIMITS = {"per_endpoint": 4, "per_owner": 16}
OK = Attempt(NOW, 0.1, 200, response="thanks")
REFUSED = Attempt(NOW, 0.1, 500, "the endpoint answered 500")


def make_endpoint(**changes):
    values = {
        "id": new_endpoint_id(),
        "owner": ADA,
        "url": "https://app.example/hook",
        "events": list(WEBHOOK_EVENTS),
        "secret": new_secret(),
        "created_at": 1_000.0,
    }
    return Endpoint(**{**values, **changes})


def make_delivery(endpoint, **changes):
    values = {
        "id": delivery_id(uuid7(), endpoint.id),
        "endpoint_id": endpoint.id,
        "owner": endpoint.owner,
        "type": "job.completed",
        "body": b'{"type":"job.completed"}',
        "created_at": NOW,
        "due_at": NOW,
    }
    return Delivery(**{**values, **changes})


@pytest.fixture
async def hooks(store):
    return store.webhooks


@pytest.fixture
async def endpoint(hooks):
    made = make_endpoint()
    await hooks.add(made)
    return made


async def posted(hooks, endpoint, **changes):
    delivery = make_delivery(endpoint, **changes)
    await hooks.post(delivery)
    return delivery


async def lease(hooks, holder="h", limit=10, now=NOW, **limits):
    return await hooks.lease(holder, limit, 60.0, **{**LIMITS, **limits}, now=now)


async def types(hooks):
    return [str(event.type) for event in await hooks.events(100)]


async def with_rows(store, job, name, count):
    (leased,) = await store.frontier.lease(job.id, "h", 1, 30, now=NOW)
    await store.frontier.commit(
        job.id, "h", [handled(leased, [b"{}"] * count, links=[request_of(f"after-{name}")])]
    )


# Endpoints


async def test_an_endpoint_comes_back_as_it_was_stored(hooks):
    made = make_endpoint(
        description="Orders",
        old_secret=new_secret(),
        old_secret_until=3_000.0,
        job_id=JobId("j"),
        failing_since=5.0,
    )

    await hooks.add(made)

    assert await hooks.get(made.id) == made


async def test_an_endpoint_is_found_by_its_owner_alone(hooks, endpoint):
    assert await hooks.get(endpoint.id, ADA) == endpoint
    assert await hooks.get(endpoint.id, UserId("bob")) is None
    assert await hooks.get(EndpointId("none")) is None


async def test_endpoints_are_listed_oldest_first_without_those_of_jobs(hooks):
    mine = [make_endpoint(created_at=float(number)) for number in range(3)]
    other = make_endpoint(owner=UserId("bob"), created_at=9.0)
    for one in (*mine, other, make_endpoint(job_id=JobId("j"))):
        await hooks.add(one)

    assert await hooks.find(ADA) == (mine, 3)
    assert await hooks.find(ADA, skip=1, limit=1) == ([mine[1]], 3)
    assert await hooks.find(None) == ([*mine, other], 4)


async def test_no_owner_gets_more_endpoints_than_allowed_also_when_asked_at_once(hooks):
    done = await asyncio.gather(
        *(hooks.add(make_endpoint(), at_most=3) for _ in range(6)), return_exceptions=True
    )

    assert sum(isinstance(one, Conflict) for one in done) == 3
    assert (await hooks.find(ADA))[1] == 3
    await hooks.add(make_endpoint(owner=UserId("bob")), at_most=1)
    await hooks.add(make_endpoint(job_id=JobId("j")))


async def test_what_is_changed_is_changed_and_the_rest_stays(hooks, endpoint):
    changed = await hooks.change(
        endpoint.id, url="https://b.example/", events=[EventType.JOB_FAILED], description=None, enabled=False
    )

    expected = replace(
        endpoint, url="https://b.example/", events=[EventType.JOB_FAILED], description=None, enabled=False
    )
    assert changed == expected == await hooks.get(endpoint.id)
    assert await hooks.change(EndpointId("none"), enabled=True) is None
    with pytest.raises(TypeError):
        await hooks.change(endpoint.id, secret="mine")


async def test_a_new_secret_leaves_the_old_one_until_its_time(hooks, endpoint):
    rotated = await hooks.rotate(endpoint.id, "whsec_new", old_until=9_000.0)

    assert (rotated.secret, rotated.old_secret, rotated.old_secret_until) == (
        "whsec_new",
        endpoint.secret,
        9_000.0,
    )
    assert await hooks.rotate(EndpointId("none"), "whsec_new", old_until=9_000.0) is None


async def test_a_removed_endpoint_hears_and_gets_nothing(hooks, endpoint):
    await posted(hooks, endpoint)

    assert await hooks.remove(endpoint.id)

    assert not await hooks.remove(endpoint.id)
    assert await hooks.get(endpoint.id) is None
    assert await lease(hooks) == []


# The outbox


@pytest.mark.parametrize(
    ("path", "events"),
    [
        ([JobStatus.RUNNING], ["job.started"]),
        ([JobStatus.RUNNING, JobStatus.COMPLETED], ["job.started", "job.completed"]),
        ([JobStatus.FAILED], ["job.failed"]),
        ([JobStatus.CANCELLED], ["job.cancelled"]),
        ([JobStatus.PAUSED, JobStatus.PENDING], ["job.paused"]),
        ([JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.RUNNING], ["job.started", "job.paused"]),
    ],
)
async def test_every_move_of_a_job_that_is_an_event_is_in_the_outbox(store, hooks, endpoint, path, events):
    job = make_job()
    await store.jobs.add(job, [])

    for number, status in enumerate(path):
        await store.jobs.transition(job.id, status, now=NOW + number)

    assert await types(hooks) == events


async def test_a_move_that_is_not_made_is_no_event(store, hooks, endpoint):
    job = await running_job(store)
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=NOW)

    assert await store.jobs.transition(job.id, JobStatus.COMPLETED, now=NOW) is None

    assert await types(hooks) == ["job.started", "job.cancelled"]


async def test_an_event_holds_the_job_as_it_was_then(store, hooks, endpoint):
    job = await running_job(store, "a", name="名", tags=["t"], meta={"$gt": "\0"})
    await with_rows(store, job, "a", 2)
    after = await store.jobs.transition(
        job.id, JobStatus.COMPLETED, now=NOW, stop_reason=StopReason.MAX_PAGES
    )
    await store.jobs.delete(job.id)

    started, _, completed = await hooks.events(10)

    assert (started.job.status, started.job.finished_at, started.at) == (JobStatus.RUNNING, None, 1_001.0)
    assert completed.job == after
    assert completed.at == NOW
    assert len({started.id, completed.id}) == 2


async def test_who_waits_for_an_event_is_asked_by_owner_job_and_type(store, hooks):
    job = await running_job(store)
    of_all = make_endpoint()
    of_job = make_endpoint(id=EndpointId(job.id), job_id=job.id, events=[EventType.JOB_FAILED])
    for one in (
        of_all,
        of_job,
        make_endpoint(job_id=JobId("another")),
        make_endpoint(owner=UserId("bob")),
        make_endpoint(events=[EventType.JOB_PAUSED]),
        make_endpoint(enabled=False),
    ):
        await hooks.add(one)

    assert await hooks.listeners(ADA, job.id, EventType.JOB_FAILED) == [of_all, of_job]
    assert await hooks.listeners(ADA, job.id, EventType.JOB_STARTED) == [of_all]


async def test_an_event_expanded_twice_makes_each_delivery_once(store, hooks, endpoint):
    await running_job(store)
    (event,) = await hooks.events(10)
    delivery = make_delivery(endpoint, id=delivery_id(event.id, endpoint.id))

    await asyncio.gather(*(hooks.expand(event.id, [delivery]) for _ in range(5)))
    (sent,) = await lease(hooks)
    await hooks.settle(delivery.id, "h", OK, Settlement(DeliveryState.DELIVERED, NOW))
    await hooks.expand(event.id, [delivery])

    assert await hooks.events(10) == []
    assert sent.delivery.id == delivery.id
    (stored,), total = await hooks.deliveries(endpoint.id)
    assert (stored.state, total) == (DeliveryState.DELIVERED, 1)


async def test_rows_are_announced_once_and_not_too_often(store, hooks, endpoint):
    job = await running_job(store, "a")
    await with_rows(store, job, "a", 3)

    assert await hooks.announce(every=5.0, now=NOW) == 1
    assert await hooks.announce(every=5.0, now=NOW + 9) == 0
    await with_rows(store, job, "b", 2)
    assert await hooks.announce(every=5.0, now=NOW + 4) == 0
    assert await hooks.announce(every=5.0, now=NOW + 5) == 1

    spans = [(event.first, event.last) for event in await hooks.events(10) if event.first]
    assert spans == [(1, 3), (4, 5)]


@pytest.mark.parametrize("end", [JobStatus.PAUSED, JobStatus.COMPLETED, JobStatus.CANCELLED])
async def test_rows_left_are_announced_before_a_job_rests_or_ends(store, hooks, endpoint, end):
    job = await running_job(store, "a")
    await with_rows(store, job, "a", 3)

    await store.jobs.transition(job.id, end, now=NOW)

    assert await types(hooks) == ["job.started", "item.batch", f"job.{end}"]
    batch = (await hooks.events(10))[1]
    assert (batch.first, batch.last, batch.job.counters.items) == (1, 3, 3)
    assert await hooks.announce(every=0.0, now=NOW + 60) == 0


async def test_rows_nobody_waits_for_are_not_announced(store, hooks):
    await hooks.add(make_endpoint(events=[EventType.JOB_COMPLETED]))
    await hooks.add(make_endpoint(owner=UserId("bob")))
    job = await running_job(store, "a")
    await with_rows(store, job, "a", 3)

    assert await hooks.announce(every=0.0, now=NOW) == 0


# Deliveries


async def test_a_delivery_comes_back_as_it_was_stored(hooks, endpoint):
    made = await posted(hooks, endpoint, once=True, body=b"\x00\xff", attempts=[])
    await hooks.post(replace(made, body=b"other"))

    assert await hooks.delivery(endpoint.id, made.id) == made
    assert await hooks.delivery(EndpointId("other"), made.id) is None
    assert await hooks.delivery(endpoint.id, DeliveryId("none")) is None


async def test_deliveries_are_listed_newest_first_without_bodies(hooks, endpoint):
    made = [await posted(hooks, endpoint) for _ in range(3)]
    await lease(hooks, limit=1)
    await hooks.settle(made[0].id, "h", OK, Settlement(DeliveryState.DELIVERED, NOW))

    listed, total = await hooks.deliveries(endpoint.id, skip=0, limit=2)
    done, _ = await hooks.deliveries(endpoint.id, state=DeliveryState.DELIVERED)

    assert ([one.id for one in listed], total) == ([made[2].id, made[1].id], 3)
    assert [one.id for one in done] == [made[0].id]
    assert {one.body for one in listed} == {b""}


async def test_only_what_is_due_is_leased_and_only_once(hooks, endpoint):
    first = await posted(hooks, endpoint)
    await posted(hooks, endpoint, due_at=NOW + 1)

    (leased,) = await lease(hooks)

    assert (leased.delivery.id, leased.delivery.body, leased.endpoint) == (first.id, first.body, endpoint)
    assert await lease(hooks, "other") == []
    assert len(await lease(hooks, "other", now=NOW + 1)) == 1


async def test_of_many_who_ask_at_once_one_gets_each_delivery(hooks, endpoint):
    made = {(await posted(hooks, endpoint)).id for _ in range(4)}

    got = await asyncio.gather(*(lease(hooks, f"h{number}", limit=1) for number in range(8)))

    ids = [due.delivery.id for leased in got for due in leased]
    assert sorted(ids) == sorted(made)


async def test_H41_a_lease_that_ended_is_anothers_and_the_late_holder_is_refused(hooks, endpoint):
    made = await posted(hooks, endpoint)
    await lease(hooks, "killed")
    assert await lease(hooks, "second", now=NOW + 59) == []

    (again,) = await lease(hooks, "second", now=NOW + 60)

    assert again.delivery.id == made.id
    assert not await hooks.settle(made.id, "killed", OK, Settlement(DeliveryState.DELIVERED, NOW))
    assert await hooks.settle(made.id, "second", OK, Settlement(DeliveryState.DELIVERED, NOW))
    assert len((await hooks.delivery(endpoint.id, made.id)).attempts) == 1


async def test_what_is_released_is_due_again_and_no_try(hooks, endpoint):
    await posted(hooks, endpoint)
    await lease(hooks, "a")

    await hooks.release("b")
    assert await lease(hooks, "b") == []
    await hooks.release("a")
    (again,) = await lease(hooks, "b")
    await hooks.release(None)

    assert again.delivery.tries == 0
    assert len(await lease(hooks, "c")) == 1


async def test_a_failed_try_is_logged_and_comes_again_when_due(hooks, endpoint):
    made = await posted(hooks, endpoint)
    await lease(hooks)

    await hooks.settle(made.id, "h", REFUSED, Settlement(DeliveryState.PENDING, NOW + 5))

    assert await lease(hooks, now=NOW + 4) == []
    (again,) = await lease(hooks, now=NOW + 5)
    assert (again.delivery.id, again.delivery.tries, list(again.delivery.attempts)) == (made.id, 1, [REFUSED])
    assert again.endpoint.failing_since == NOW


async def test_failing_since_is_the_first_failure_after_the_last_success(hooks, endpoint):
    made = [await posted(hooks, endpoint) for _ in range(4)]
    await lease(hooks)

    async def settled(number, attempt):
        await hooks.settle(made[number].id, "h", attempt, Settlement(DeliveryState.FAILED, NOW))
        return (await hooks.get(endpoint.id)).failing_since

    assert await settled(0, REFUSED) == NOW
    assert await settled(1, replace(REFUSED, at=NOW + 50)) == NOW
    assert await settled(2, OK) is None
    assert await settled(3, replace(REFUSED, at=NOW + 90)) == NOW + 90


async def test_a_test_message_says_nothing_about_an_endpoints_health(hooks, endpoint):
    made = await posted(hooks, endpoint, once=True)
    await lease(hooks)

    await hooks.settle(made.id, "h", REFUSED, Settlement(DeliveryState.FAILED, NOW))

    assert (await hooks.get(endpoint.id)).failing_since is None


async def test_a_disabled_endpoint_gets_nothing_more_until_it_is_enabled(hooks, endpoint):
    made = [await posted(hooks, endpoint) for _ in range(3)]
    await lease(hooks, limit=2)

    await hooks.settle(
        made[0].id, "h", replace(REFUSED, status=410), Settlement(DeliveryState.FAILED, NOW, "it is gone")
    )
    await hooks.settle(made[1].id, "h", REFUSED, Settlement(DeliveryState.PENDING, NOW + 5))

    disabled = await hooks.get(endpoint.id)
    assert (disabled.enabled, disabled.disabled_reason) == (False, "it is gone")
    assert await lease(hooks, now=NOW + 10) == []
    states = {one.state for one in (await hooks.deliveries(endpoint.id))[0]}
    assert states == {DeliveryState.FAILED}
    enabled = await hooks.change(endpoint.id, enabled=True)
    assert (enabled.enabled, enabled.disabled_reason, enabled.failing_since) == (True, None, None)
    await hooks.replay(endpoint.id, made[2].id, now=NOW + 20)
    assert len(await lease(hooks, now=NOW + 20)) == 1


async def test_disabling_by_hand_lets_what_waits_fail(hooks, endpoint):
    await posted(hooks, endpoint)

    await hooks.change(endpoint.id, enabled=False)

    assert (await hooks.deliveries(endpoint.id))[0][0].state is DeliveryState.FAILED


async def test_a_replay_is_a_new_round_of_the_same_delivery(hooks, endpoint):
    made = await posted(hooks, endpoint)
    await lease(hooks)
    with pytest.raises(Conflict, match="being sent"):
        await hooks.replay(endpoint.id, made.id, now=NOW + 1)
    await hooks.settle(made.id, "h", REFUSED, Settlement(DeliveryState.FAILED, NOW))

    replayed = await hooks.replay(endpoint.id, made.id, now=NOW + 1)

    assert (replayed.state, replayed.tries, replayed.due_at) == (DeliveryState.PENDING, 0, NOW + 1)
    (again,) = await lease(hooks, now=NOW + 1)
    assert (again.delivery.id, list(again.delivery.attempts)) == (made.id, [REFUSED])
    assert await hooks.replay(endpoint.id, DeliveryId("none"), now=NOW) is None
    assert await hooks.replay(EndpointId("other"), made.id, now=NOW) is None


async def test_H37_a_slow_endpoint_or_owner_holds_no_more_places_than_allowed(hooks):
    slow = [make_endpoint() for _ in range(4)]
    quick = make_endpoint(owner=UserId("bob"))
    for one in (*slow, quick):
        await hooks.add(one)
    for one in slow:
        for _ in range(10):
            await posted(hooks, one, due_at=NOW - 100)
    await posted(hooks, quick)

    first = await lease(hooks, limit=64, per_endpoint=3, per_owner=8)
    second = await lease(hooks, "other", limit=64, per_endpoint=3, per_owner=8)

    assert sum(due.endpoint.owner == ADA for due in first) == 8
    assert max(sum(due.endpoint.id == one.id for due in first) for one in slow) <= 3
    assert sum(due.endpoint.id == quick.id for due in first) == 1
    assert second == []


async def test_what_is_old_and_over_is_pruned_and_what_waits_is_not(hooks, endpoint):
    old = [await posted(hooks, endpoint, created_at=10.0) for _ in range(3)]
    new = await posted(hooks, endpoint)
    await lease(hooks)
    for one in old[:2]:
        await hooks.settle(one.id, "h", OK, Settlement(DeliveryState.DELIVERED, NOW))

    assert await hooks.prune(before=100.0, limit=1) == 1
    assert await hooks.prune(before=100.0, limit=10) == 1
    assert await hooks.prune(before=100.0, limit=10) == 0

    left, _ = await hooks.deliveries(endpoint.id)
    assert [one.id for one in left] == [new.id, old[2].id]


async def test_a_removed_endpoints_deliveries_are_pruned(hooks, endpoint):
    for _ in range(3):
        await posted(hooks, endpoint)
    await hooks.remove(endpoint.id)

    assert await hooks.prune(before=0.0, limit=2) == 2
    assert await hooks.prune(before=0.0, limit=2) == 1


async def test_a_jobs_own_endpoint_goes_after_its_job_and_its_messages(store, hooks):
    job = await running_job(store)
    own = make_endpoint(id=EndpointId(job.id), job_id=job.id, created_at=10.0)
    await hooks.add(own)
    await store.jobs.transition(job.id, JobStatus.CANCELLED, now=NOW)
    (event,) = await hooks.events(10)

    async def is_there_after(before):
        await hooks.prune(before=before, limit=10)
        return await hooks.get(own.id) is not None

    assert await is_there_after(100.0), "its job is there"
    await store.jobs.delete(job.id)
    assert await is_there_after(100.0), "an event is to be expanded"
    await hooks.expand(event.id, [make_delivery(own, id=DeliveryId("d"))])
    assert await is_there_after(100.0), "a message is to be sent"
    await lease(hooks)
    await hooks.settle(DeliveryId("d"), "h", OK, Settlement(DeliveryState.DELIVERED, NOW))
    assert await is_there_after(5.0), "it is young"
    assert not await is_there_after(100.0)
