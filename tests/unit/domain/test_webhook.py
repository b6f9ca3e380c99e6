from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.events import EventType
from scrapemaster.domain.job import TERMINAL, JobStatus
from scrapemaster.domain.webhook import (
    GIVE_UP_AFTER,
    RETRY_SCHEDULE,
    Answer,
    Candidate,
    Delivery,
    DeliveryState,
    Due,
    Endpoint,
    delivery_id,
    event_of,
    fair_choice,
    new_secret,
    retry_delay,
    settlement_of,
)

NOW = 1_000_000.0
CHANCES = st.floats(0, 1)
ENDPOINT = Endpoint("e", "ada", "http://x/", [EventType.JOB_COMPLETED], new_secret(), 0.0)
DELIVERY = Delivery("d", "e", "ada", "job.completed", b"{}", 0.0, 0.0)


def due(tries=0, *, once=False, failing_since=None):
    return Due(replace(DELIVERY, tries=tries, once=once), replace(ENDPOINT, failing_since=failing_since))


def test_retries_come_after_the_published_delays_and_end_after_28_hours():
    assert [retry_delay(tries, 0.5) for tries in range(1, 9)] == [
        5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, None
    ]  # fmt: skip
    assert 27 * 3_600 < sum(RETRY_SCHEDULE) < 29 * 3_600


@given(st.integers(1, len(RETRY_SCHEDULE)), CHANCES)
def test_chance_moves_a_delay_by_a_tenth_at_most(tries, chance):
    delay = RETRY_SCHEDULE[tries - 1]

    assert 0.899 * delay <= retry_delay(tries, chance) <= 1.101 * delay


@given(st.integers(200, 299), st.integers(0, 20), CHANCES)
def test_every_2xx_is_success(status, tries, chance):
    settled = settlement_of(due(tries), Answer(status), now=NOW, chance=chance)

    assert (settled.state, settled.disable) == (DeliveryState.DELIVERED, None)


def test_410_disables_the_endpoint_at_once():
    settled = settlement_of(due(), Answer(410), now=NOW, chance=0.5)

    assert settled.state is DeliveryState.FAILED
    assert settled.disable == "it answered 410 Gone"


@given(
    st.one_of(st.none(), st.integers(100, 199), st.integers(300, 599).filter(lambda status: status != 410)),
    st.integers(0, 10),
    CHANCES,
)
def test_everything_else_is_tried_again_until_the_schedule_ends(status, tries, chance):
    settled = settlement_of(due(tries), Answer(status, "e"), now=NOW, chance=chance)

    assert settled.disable is None
    if tries < len(RETRY_SCHEDULE):
        assert settled.state is DeliveryState.PENDING
        assert settled.due_at == NOW + retry_delay(tries + 1, chance)
    else:
        assert settled.state is DeliveryState.FAILED


def test_retry_after_puts_a_retry_off_by_an_hour_at_most():
    wait = settlement_of(due(), Answer(503, "e", retry_after=60.0), now=NOW, chance=0.5)
    absurd = settlement_of(due(), Answer(503, "e", retry_after=1e9), now=NOW, chance=0.5)
    later = settlement_of(due(4), Answer(503, "e", retry_after=60.0), now=NOW, chance=0.5)

    assert [one.due_at - NOW for one in (wait, absurd, later)] == [60.0, 3_600.0, 18_000.0]


def test_five_days_of_nothing_but_failures_disable_the_endpoint():
    before = settlement_of(due(failing_since=NOW - GIVE_UP_AFTER + 1), Answer(500, "e"), now=NOW, chance=0.5)
    after = settlement_of(due(failing_since=NOW - GIVE_UP_AFTER), Answer(500, "e"), now=NOW, chance=0.5)

    assert before.disable is None
    assert after.disable == "every delivery failed for five days"


def test_a_test_message_is_sent_once():
    assert settlement_of(due(once=True), Answer(500, "e"), now=NOW, chance=0.5).state is DeliveryState.FAILED


def test_an_old_secret_signs_until_its_time():
    rotated = replace(ENDPOINT, secret="new", old_secret="old", old_secret_until=NOW)

    assert rotated.secrets(NOW - 1) == ["new", "old"]
    assert rotated.secrets(NOW) == ["new"]
    assert ENDPOINT.secrets(NOW) == [ENDPOINT.secret]


def test_a_delivery_has_one_id_for_its_event_and_endpoint():
    assert delivery_id("a-b", "e") == delivery_id("a-b", "e")
    assert len({delivery_id(event, endpoint) for event in ("a", "b") for endpoint in ("e", "f")}) == 4
    assert delivery_id("a", "z") < delivery_id("b", "a")


def test_starting_anew_pausing_and_ending_are_events_and_resuming_is_none():
    assert event_of(JobStatus.RUNNING, first_start=True) is EventType.JOB_STARTED
    assert event_of(JobStatus.RUNNING, first_start=False) is None
    assert event_of(JobStatus.PENDING, first_start=False) is None
    assert event_of(JobStatus.PAUSED, first_start=True) is EventType.JOB_PAUSED
    for status in TERMINAL:
        assert event_of(status, first_start=False) == f"job.{status}"


@st.composite
def queues(draw):
    endpoints = draw(st.lists(st.integers(0, 5), max_size=60))
    return [
        Candidate(f"d{number}", f"e{endpoint}", f"u{endpoint % 3}", float(draw(st.integers(0, 9))))
        for number, endpoint in enumerate(endpoints)
    ]


@given(
    queues(),
    st.lists(st.integers(0, 5), max_size=20),
    st.integers(0, 30),
    st.integers(1, 5),
    st.integers(1, 8),
)
def test_H37_no_choice_passes_a_limit_or_leaves_a_place_empty(
    candidates, held_endpoints, limit, per_endpoint, per_owner
):
    held = [(f"u{number % 3}", f"e{number}") for number in held_endpoints]

    chosen = fair_choice(candidates, held, limit=limit, per_endpoint=per_endpoint, per_owner=per_owner)

    assert len(chosen) <= limit
    assert len({one.id for one in chosen}) == len(chosen)
    endpoints = Counter(endpoint for _, endpoint in held)
    owners = Counter(owner for owner, _ in held)
    for one in chosen:
        endpoints[one.endpoint_id] += 1
        owners[one.owner] += 1
        assert endpoints[one.endpoint_id] <= per_endpoint
        assert owners[one.owner] <= per_owner
    if len(chosen) < limit:
        for one in set(candidates) - set(chosen):
            assert endpoints[one.endpoint_id] >= per_endpoint or owners[one.owner] >= per_owner


def test_H37_endpoints_take_turns_however_long_ones_queue_is():
    crowd = [Candidate(f"c{number}", "crowded", "ada", float(number)) for number in range(100)]
    single = Candidate("s", "single", "bob", 1_000.0)

    chosen = fair_choice([*crowd, single], [], limit=2, per_endpoint=4, per_owner=16)

    assert [one.id for one in chosen] == ["c0", "s"]


@pytest.mark.parametrize("oldest_first", [True, False])
def test_the_oldest_of_an_endpoint_goes_first(oldest_first):
    queue = [Candidate(f"c{number}", "e", "ada", float(number)) for number in range(5)]

    chosen = fair_choice(queue if oldest_first else queue[::-1], [], limit=9, per_endpoint=2, per_owner=9)

    assert [one.id for one in chosen] == ["c0", "c1"]
