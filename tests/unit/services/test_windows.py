import asyncio
import time

import pytest

from scrapemaster.domain.errors import TooMany
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.rate_limit import RateLimit
from scrapemaster.domain.user import Role, User
from scrapemaster.services.rate_limits import RateLimits
from scrapemaster.services.windows import Windows

LIMIT = RateLimit(100, 3_600)


async def test_two_hundred_at_once_are_told_each_remaining_number_once():
    windows = Windows()

    spent = await asyncio.gather(*(windows.hit("k", LIMIT) for _ in range(200)))

    passed = [one.remaining for one in spent if not one.exceeded]
    assert sorted(passed, reverse=True) == list(range(99, -1, -1))
    assert {one.remaining for one in spent if one.exceeded} == {0}
    assert len({one.resets_at for one in spent}) == 1


async def test_a_window_begins_with_the_first_count_and_ends_for_good():
    windows, limit = Windows(), RateLimit(1, 1)
    first = await windows.hit("k", limit)
    second = await windows.hit("k", limit)
    assert (first.exceeded, second.exceeded, second.resets_at) == (False, True, first.resets_at)

    while time.time() <= first.resets_at:  # noqa: ASYNC110 -- the clock sets no event
        await asyncio.sleep(0.05)
    third = await windows.hit("k", limit)

    assert not third.exceeded
    assert third.resets_at > first.resets_at


async def test_what_is_given_back_can_be_spent_again():
    windows, limit = Windows(), RateLimit(1, 3_600)
    await windows.hit("k", limit)
    await windows.refund("k", limit)
    await windows.refund("k", limit)  # nothing is left to give back

    assert not (await windows.hit("k", limit)).exceeded
    spent = await windows.hit("k", limit)
    with pytest.raises(TooMany) as caught:
        spent.check("no")
    assert 0 < caught.value.retry_after <= 3_600
    await windows.clear("k")
    assert not (await windows.hit("k", limit)).exceeded


def user(name, limit=None):
    return User(UserId(name), name, "", Role.USER, 0.0, rate_limit=limit)


async def test_users_are_counted_apart_and_may_have_limits_of_their_own():
    limits = RateLimits(Windows(), RateLimit(2, 60))

    assert (await limits.spend(user("ada"))).remaining == 1
    assert (await limits.spend(user("ada"))).remaining == 0
    assert (await limits.spend(user("ada"))).exceeded
    assert (await limits.spend(user("bob"))).remaining == 1
    assert (await limits.spend(user("eve", "7/hour"))).remaining == 6
    assert await limits.spend(user("eve", "off")) is None
    assert await RateLimits(Windows(), None).spend(user("ada")) is None


async def test_another_limit_of_the_same_length_goes_on_counting():
    limits = RateLimits(Windows(), RateLimit(2, 60))
    for _ in range(3):
        await limits.spend(user("ada"))

    assert (await limits.spend(user("ada", "5/minute"))).remaining == 1
    assert (await limits.spend(user("ada", "3/minute"))).exceeded
