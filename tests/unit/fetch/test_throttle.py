import asyncio
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.fetch.throttle import HostState, Throttle


@given(
    st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.sampled_from([0.0, 0.5, 2.0])), max_size=60),
    st.integers(1, 4),
)
def test_no_more_than_the_limit_and_never_before_its_time(steps, limit):
    state, now, last, busy = HostState(), 0.0, None, 0
    for wait, finish, delay in steps:
        now += wait
        if finish and busy:
            state.finish()
            busy -= 1
        elif state.try_start(now, limit, delay):
            busy += 1
            assert busy <= limit
            if delay:
                assert last is None or now >= last + delay
                last = now


async def test_who_asks_for_no_delay_is_not_held_up_by_those_who_do():
    throttle = Throttle(8)
    await throttle.acquire("h", 60.0)
    delayed = asyncio.create_task(throttle.acquire("h", 60.0))
    await asyncio.sleep(0)

    await asyncio.wait_for(throttle.acquire("h"), 0.1)

    assert not delayed.done()
    assert throttle.ready_at("h") == 0.0
    assert throttle.ready_at("h", 60.0) > time.monotonic() + 50
    delayed.cancel()


async def test_who_waits_is_served_in_order():
    throttle, order = Throttle(1), []
    await throttle.acquire("h")

    async def work(name):
        await throttle.acquire("h")
        order.append(name)
        await asyncio.sleep(0)
        throttle.release("h")

    tasks = [asyncio.create_task(work(name)) for name in range(5)]
    await asyncio.sleep(0)
    throttle.release("h")
    await asyncio.gather(*tasks)

    assert order == [0, 1, 2, 3, 4]


async def test_hosts_do_not_wait_for_each_other():
    throttle = Throttle(1)
    await throttle.acquire("a")

    await asyncio.wait_for(throttle.acquire("b"), 0.1)


async def test_a_delay_keeps_starts_apart():
    throttle, starts = Throttle(8), []

    async def work():
        await throttle.acquire("h", 0.05)
        starts.append(time.monotonic())
        throttle.release("h")

    await asyncio.gather(*(work() for _ in range(4)))

    assert all(later - earlier >= 0.049 for earlier, later in itertools.pairwise(starts))


async def test_a_paused_host_rests_and_then_goes_on():
    throttle = Throttle(8)
    throttle.pause("h", 0.1)
    assert throttle.ready_at("h") > time.monotonic()
    began = time.monotonic()

    await throttle.acquire("h")

    assert time.monotonic() - began >= 0.099


@pytest.mark.parametrize("granted", [False, True])
async def test_cancelling_gives_the_turn_to_the_next(granted):
    throttle = Throttle(1)
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
    assert first.cancelled() or isinstance(
        (await asyncio.gather(first, return_exceptions=True))[0], asyncio.CancelledError
    )
    throttle.release("h")
    await asyncio.wait_for(throttle.acquire("h"), 1)
