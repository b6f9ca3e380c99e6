"""The loop that sends, over every store, with a clock of its own and a real receiver."""

import asyncio
import time

import pytest
from receiver import receiver
from tests.integration.test_webhook_sender import LOOPBACK

from contract.conftest import BACKENDS, handled, make_job, request_of
from contract.test_webhooks import make_delivery, make_endpoint
from scrapemaster.delivery.sender import WebhookSender
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.webhook import RETRY_SCHEDULE, DeliveryState, new_secret
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.services import dispatch as module
from scrapemaster.services.dispatch import KEEP_SECONDS, SENDS_PER_ENDPOINT, SENDS_PER_OWNER, Dispatcher


class Clock:
    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead


@pytest.fixture(params=BACKENDS)
async def store(request, tmp_path):
    async with BACKENDS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def target():
    with receiver() as running:
        yield running


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def loop(store, clock):
    sender = WebhookSender(EgressPolicy(LOOPBACK))
    yield Dispatcher(store.webhooks, sender, clock=clock)
    await sender.close()


async def ended_job(store, clock, status=JobStatus.FAILED):
    job = make_job(created_at=clock())
    await store.jobs.add(job, [])
    await store.jobs.transition(job.id, status, now=clock())
    return job


async def look(loop):
    await loop.look()
    await loop.settled()


async def the_delivery(store, endpoint):
    (delivery,), _ = await store.webhooks.deliveries(endpoint.id)
    return delivery


async def test_a_message_is_tried_on_schedule_under_one_id_and_then_fails(store, loop, clock, target):
    endpoint = make_endpoint(url=target.url("/status/503"))
    await store.webhooks.add(endpoint)
    await ended_job(store, clock)

    for tries, delay in enumerate(RETRY_SCHEDULE, 1):
        await look(loop)
        await look(loop)
        assert len(target.messages) == tries
        assert (await the_delivery(store, endpoint)).state is DeliveryState.PENDING
        clock.ahead += 1.11 * delay
    await look(loop)

    delivery = await the_delivery(store, endpoint)
    assert delivery.state is DeliveryState.FAILED
    assert [attempt.status for attempt in delivery.attempts] == [503] * 8
    assert {message.id for message in target.messages} == {delivery.id}
    assert len({message.headers["webhook-timestamp"] for message in target.messages}) == 8
    clock.ahead += 10**6
    await look(loop)
    assert len(target.messages) == 8


async def test_a_message_that_arrives_at_last_is_delivered(store, loop, clock, target):
    endpoint = make_endpoint(url=target.url("/once/500"))
    await store.webhooks.add(endpoint)
    await ended_job(store, clock)

    await look(loop)
    clock.ahead += 6
    await look(loop)

    delivery = await the_delivery(store, endpoint)
    assert delivery.state is DeliveryState.DELIVERED
    assert [attempt.status for attempt in delivery.attempts] == [500, 200]
    first, second = target.messages
    assert (first.id, first.body) == (second.id, second.body)
    assert (await store.webhooks.get(endpoint.id)).failing_since is None


async def test_new_rows_are_told_every_five_seconds_at_most_and_at_the_end(store, loop, clock, target):
    await store.webhooks.add(make_endpoint(url=target.url("/ok"), events=["item.batch"]))
    job = make_job(created_at=clock())
    await store.jobs.add(job, [request_of("a")])
    await store.jobs.transition(job.id, JobStatus.RUNNING, now=clock())

    async def rows(name, count):
        (leased,) = await store.frontier.lease(job.id, "h", 1, 30, now=clock())
        link = request_of(f"after-{name}")
        await store.frontier.commit(job.id, "h", [handled(leased, [b"{}"] * count, [link])])

    def batches():
        return [(one.data["batch"]["first"], one.data["batch"]["last"]) for one in target.messages]

    await rows("a", 3)
    await look(loop)
    await rows("b", 2)
    clock.ahead += 2
    await look(loop)
    assert batches() == [(1, 3)]
    clock.ahead += 4
    await look(loop)
    assert batches() == [(1, 3), (4, 5)]
    await rows("c", 1)
    await store.jobs.transition(job.id, JobStatus.COMPLETED, now=clock())
    await look(loop)
    assert batches() == [(1, 3), (4, 5), (6, 6)]


async def test_a_long_outbox_is_worked_off(store, loop, clock, target):
    await store.webhooks.add(make_endpoint(url=target.url("/ok")))
    jobs = []
    for _ in range(12):
        jobs += await asyncio.gather(*(ended_job(store, clock) for _ in range(50)))

    running = asyncio.create_task(loop.run())
    await asyncio.to_thread(target.wait_for, "/ok", 600)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert {message.data["id"] for message in target.messages} == {job.id for job in jobs}
    assert await store.webhooks.events(1) == []


async def test_after_five_days_of_failures_the_endpoint_is_disabled(store, loop, clock, target):
    endpoint = make_endpoint(url=target.url("/status/500"))
    await store.webhooks.add(endpoint)

    for _ in range(6):
        await ended_job(store, clock)
        await look(loop)
        clock.ahead += 86_400

    found = await store.webhooks.get(endpoint.id)
    assert (found.enabled, found.disabled_reason) == (False, "every delivery failed for five days")
    before = len(target.messages)
    await ended_job(store, clock)
    await look(loop)
    assert len(target.messages) == before


async def test_messages_go_to_where_the_endpoint_is_now_with_both_secrets(store, loop, clock, target):
    endpoint = make_endpoint(url=target.url("/status/500"))
    await store.webhooks.add(endpoint)
    await ended_job(store, clock)
    await look(loop)

    await store.webhooks.change(endpoint.id, url=target.url("/ok"))
    await store.webhooks.rotate(endpoint.id, new_secret(), old_until=clock() + 100)
    clock.ahead += 6
    await look(loop)
    await ended_job(store, clock)
    clock.ahead += 100
    await look(loop)

    moved, later = target.at("/ok")
    assert len(moved.headers["webhook-signature"].split()) == 2
    assert len(later.headers["webhook-signature"].split()) == 1


async def test_H41_what_a_killed_worker_was_sending_is_sent_by_another(store, clock, target):
    endpoint = make_endpoint(url=target.url("/ok"))
    await store.webhooks.add(endpoint)
    await store.webhooks.post(make_delivery(endpoint, due_at=clock()))
    await store.webhooks.lease("killed", 10, 60.0, per_endpoint=4, per_owner=16, now=clock())
    other = Dispatcher(store.webhooks, WebhookSender(EgressPolicy(LOOPBACK)), clock=clock)

    await look(other)
    assert target.messages == []
    clock.ahead += 61
    await look(other)

    assert len(target.messages) == 1
    assert (await the_delivery(store, endpoint)).state is DeliveryState.DELIVERED


async def test_H37_slow_targets_do_not_keep_others_waiting(store, clock, target):
    slow = [make_endpoint(url=target.url(f"/hold/{number}")) for number in range(6)]
    quick = make_endpoint(owner="bob", url=target.url("/ok"))
    for one in (*slow, quick):
        await store.webhooks.add(one)
    for one in slow:
        for _ in range(20):
            await store.webhooks.post(make_delivery(one, due_at=clock() - 100))
    running = asyncio.create_task(
        Dispatcher(store.webhooks, WebhookSender(EgressPolicy(LOOPBACK)), clock=clock).run()
    )
    await asyncio.to_thread(wait_until, target, lambda: target.holding == SENDS_PER_OWNER)

    await store.webhooks.post(make_delivery(quick, due_at=clock()))
    await asyncio.to_thread(target.wait_for, "/ok")

    assert target.most_held == SENDS_PER_OWNER
    assert max(len(target.at(f"/hold/{number}")) for number in range(6)) <= SENDS_PER_ENDPOINT
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def wait_until(target, condition):
    with target.changed:
        assert target.changed.wait_for(condition, 30)


async def test_what_is_under_way_when_the_loop_stops_is_due_at_once_for_the_next(
    store, clock, target, monkeypatch
):
    monkeypatch.setattr(module, "_GRACE", 0.05)
    endpoint = make_endpoint(url=target.url("/hold"))
    await store.webhooks.add(endpoint)
    await store.webhooks.post(make_delivery(endpoint, created_at=clock(), due_at=clock()))
    running = asyncio.create_task(
        Dispatcher(store.webhooks, WebhookSender(EgressPolicy(LOOPBACK)), clock=clock).run()
    )
    await asyncio.to_thread(target.wait_for, "/hold")

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    target.free.set()
    await look(Dispatcher(store.webhooks, WebhookSender(EgressPolicy(LOOPBACK)), clock=clock))
    delivery = await the_delivery(store, endpoint)
    assert (delivery.state, len(delivery.attempts)) == (DeliveryState.DELIVERED, 1)


async def test_after_thirty_days_a_delivery_is_forgotten(store, loop, clock, target):
    endpoint = make_endpoint(url=target.url("/ok"))
    await store.webhooks.add(endpoint)
    await ended_job(store, clock)
    await look(loop)

    clock.ahead += KEEP_SECONDS - 60
    await look(loop)
    assert (await store.webhooks.deliveries(endpoint.id))[1] == 1
    clock.ahead += 600
    await look(loop)
    assert (await store.webhooks.deliveries(endpoint.id))[1] == 0


async def test_a_fault_of_the_sender_is_a_failed_try_and_ends_nothing(store, clock):
    class Faulty:
        async def send(self, delivery, endpoint, *, now):
            raise RuntimeError("a bug")

        async def close(self):
            pass

    endpoint = make_endpoint()
    await store.webhooks.add(endpoint)
    await ended_job(store, clock)

    await look(Dispatcher(store.webhooks, Faulty(), clock=clock))

    delivery = await the_delivery(store, endpoint)
    assert delivery.state is DeliveryState.PENDING
    assert delivery.attempts[0].error.startswith("internal_error")
