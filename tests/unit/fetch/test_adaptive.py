import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapemaster.domain.errors import GiveUpPage, RetryPage
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import EngineName, Job, JobConfig
from scrapemaster.fetch.adaptive import AdaptiveThrottle, AimdLimit, adapts
from scrapemaster.fetch.throttle import Throttle

EVENTS = st.lists(
    st.tuples(st.sampled_from(["good", "trouble"]), st.floats(0, 5), st.floats(0, 120) | st.none()),
    max_size=200,
)


@settings(deadline=None)
@given(EVENTS, st.integers(1, 200))
def test_the_limit_stays_between_one_and_its_ceiling(events, ceiling):
    aimd, now = AimdLimit(ceiling), 0.0
    for kind, wait, seconds in events:
        now += wait
        before = aimd.limit
        if kind == "good":
            aimd.answered(now, seconds)
            assert aimd.limit <= before + 1
        else:
            aimd.troubled(now, seconds or 0.0)
            assert aimd.limit <= before
        assert 1 <= aimd.limit <= ceiling


@settings(deadline=None)
@given(st.floats(0.0001, 0.4), st.integers(1, 200))
def test_a_host_that_answers_quickly_gets_its_ceiling_within_a_few_rounds(seconds, ceiling):
    aimd, now, rounds = AimdLimit(ceiling), 0.0, 0
    while aimd.limit < ceiling:
        now += seconds
        rounds += 1
        for _ in range(int(aimd.limit)):
            aimd.answered(now, seconds)

    assert rounds <= 6


@settings(deadline=None)
@given(st.lists(st.floats(0.0001, 0.5), min_size=1, max_size=300))
def test_what_is_quicker_than_half_a_second_is_never_too_slow(times):
    aimd, now = AimdLimit(32), 0.0
    for seconds in times:
        now += seconds
        before = aimd.limit
        aimd.answered(now, seconds)
        assert aimd.limit >= before


def test_trouble_halves_and_what_was_under_way_then_counts_no_further():
    aimd = AimdLimit(32)
    for _ in range(100):
        aimd.answered(1.0, 0.1)
    for _ in range(32):
        aimd.troubled(10.0, 0.5)
    assert aimd.limit == 16

    aimd.troubled(10.9, 0.1)
    assert aimd.limit == 16
    aimd.troubled(12.0, 30.0)  # begun long before the cut
    assert aimd.limit == 16
    aimd.troubled(12.0, 0.1)
    assert aimd.limit == 8


def test_after_trouble_it_grows_by_one_in_a_round():
    aimd = AimdLimit(32)
    for _ in range(100):
        aimd.answered(1.0, 0.1)
    aimd.troubled(10.0, 0.1)
    for _ in range(16):
        aimd.answered(20.0, 0.1)

    assert aimd.limit == pytest.approx(17, abs=0.1)


def test_a_host_that_becomes_slow_gets_less_and_one_that_always_was_does_not():
    slowed, slow = AimdLimit(32), AimdLimit(32)
    for second in range(100):
        slowed.answered(float(second), 0.2)
        slow.answered(float(second * 10), 8.0)
    full = slowed.limit
    for second in range(100, 120):
        slowed.answered(second * 2.0, 2.0)

    assert slowed.limit < full / 2
    assert slow.limit == 32


async def test_no_more_are_under_way_than_the_host_takes_and_none_waits_for_ever():
    throttle, busy, most = AdaptiveThrottle(Throttle(32), 32), 0, []

    async def work(number):
        nonlocal busy
        await throttle.acquire("h")
        busy += 1
        most.append((busy, throttle.limit("h")))
        await asyncio.sleep(0.001)
        busy -= 1
        error = RetryPage("http_503", "", 503) if number % 7 == 0 else None
        throttle.told("h", 0.001, error)
        throttle.release("h")

    async with asyncio.timeout(20):
        await asyncio.gather(*(work(number) for number in range(300)))

    assert busy == 0
    assert max(count for count, _ in most) > 2
    assert most[3][0] == 4
    assert max(count for count, _ in most[:4]) <= 4


async def test_hosts_and_jobs_that_do_not_adapt_are_not_held_up():
    inner = Throttle(32)
    throttle = AdaptiveThrottle(inner, 32)
    for _ in range(4):
        await throttle.acquire("slow")
    waiting = asyncio.create_task(throttle.acquire("slow"))
    await asyncio.sleep(0)

    assert not waiting.done()
    await asyncio.wait_for(throttle.acquire("other"), 1)
    await asyncio.wait_for(inner.acquire("slow"), 1)
    throttle.release("slow")
    await asyncio.wait_for(waiting, 1)


@pytest.mark.parametrize("granted", [False, True])
async def test_cancelling_gives_the_turn_to_the_next(granted):
    throttle = AdaptiveThrottle(Throttle(32), 1)
    await throttle.acquire("h")
    first = asyncio.create_task(throttle.acquire("h"))
    second = asyncio.create_task(throttle.acquire("h"))
    await asyncio.sleep(0)
    if granted:
        throttle.release("h")
        first.cancel()
    else:
        first.cancel()
        throttle.release("h")

    await asyncio.wait_for(second, 1)


async def test_over_proxies_only_what_the_site_says_counts():
    throttle = AdaptiveThrottle(Throttle(32), 32)
    await throttle.acquire("h")
    for error in (RetryPage("timeout"), RetryPage("connection_reset"), GiveUpPage("proxy_error")):
        throttle.told("h", 60.0, error, indirect=True)
    assert throttle.limit("h") == 4
    throttle.told("h", 0.1, GiveUpPage("http_404", "", 404), indirect=True)
    assert throttle.limit("h") == 5
    throttle.told("h", 0.1, RetryPage("http_503", "", 503), indirect=True)
    assert throttle.limit("h") == 2
    throttle.told("unknown", 0.1)
    throttle.release("h")


def test_auto_adapts_by_itself_and_others_when_they_are_asked_to():
    def job(engine, asked):
        config = JobConfig(adaptive_throttle=asked)
        return Job(new_job_id(), UserId("ada"), ["http://h/"], {}, config, 0.0, engine)

    assert [job(EngineName.AUTO, asked).adaptive for asked in (None, True, False)] == [True, True, False]
    assert [job(EngineName.HTTP, asked).adaptive for asked in (None, True, False)] == [False, True, False]
    inner = Throttle(1)
    assert adapts(inner) is None
    assert adapts(AdaptiveThrottle(inner, 1)) is not None
