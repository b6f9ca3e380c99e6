"""Guessing passwords, against a real store."""

import asyncio

import pytest

from scrapemaster.domain.errors import TooMany
from scrapemaster.domain.ids import new_user_id
from scrapemaster.domain.user import Role, User
from scrapemaster.services.throttle import (
    MANY,
    NETWORK,
    PAIR,
    STRANGERS,
    STRANGERS_LATER,
    LoginThrottle,
    strangers_limit,
)
from scrapemaster.services.windows import Windows

HOME = "192.0.2.1"


@pytest.fixture
async def ada(store):
    user = User(new_user_id(), "Ada", "hash", Role.USER, 5.0)
    await store.users.add(user)
    return user


@pytest.fixture
def throttle(store):
    return LoginThrottle(Windows(), store.users)


def strangers(count):
    return [f"198.51.100.{number}" for number in range(count)]


async def refused(throttle, name, network, user=None):
    try:
        await throttle.admit(name, network, user)
    except TooMany as error:
        return error.retry_after
    return None


async def test_H30_guessing_from_one_network_is_stopped(throttle, ada):
    waits = [await refused(throttle, "ada", HOME, ada) for _ in range(PAIR.requests + 3)]

    assert waits[: PAIR.requests] == [None] * PAIR.requests
    assert all(0 < wait <= PAIR.seconds for wait in waits[PAIR.requests :])


async def test_H30_many_guesses_at_once_are_no_way_around(throttle, ada):
    waits = await asyncio.gather(*(refused(throttle, "ada", HOME, ada) for _ in range(100)))

    assert waits.count(None) == PAIR.requests


async def test_H30_names_that_nobody_has_are_refused_in_the_same_way(throttle, ada):
    for name, user in (("ada", ada), ("nobody", None)):
        waits = [await refused(throttle, name, HOME, user) for _ in range(PAIR.requests + 1)]
        assert [wait is None for wait in waits] == [True] * PAIR.requests + [False]


async def test_H30_one_network_cannot_try_one_password_on_everybody(throttle):
    waits = [await refused(throttle, f"user{number}", HOME) for number in range(NETWORK.requests + 5)]

    assert waits.count(None) == NETWORK.requests
    assert await refused(throttle, "another", "192.0.2.2") is None


async def test_H30_many_networks_are_slowed_down_and_the_owner_at_a_known_one_is_not(throttle, ada):
    await throttle.succeeded(await throttle.admit("ada", HOME, ada), ada)

    waits = [await refused(throttle, "ada", network, ada) for network in strangers(STRANGERS.requests + 20)]

    assert waits.count(None) == STRANGERS.requests
    assert max(wait for wait in waits if wait is not None) <= STRANGERS.seconds
    assert await refused(throttle, "ada", HOME, ada) is None


async def test_H30_a_known_network_stays_open_though_it_guessed_at_others(throttle, ada):
    await throttle.succeeded(await throttle.admit("ada", HOME, ada), ada)
    for number in range(NETWORK.requests + 1):
        await refused(throttle, f"user{number}", HOME)

    assert await refused(throttle, "user", HOME) is not None
    assert await refused(throttle, "ada", HOME, ada) is None


async def test_an_attempt_that_was_not_looked_at_is_not_counted_against_its_network(throttle, ada):
    for network in strangers(STRANGERS.requests):
        await throttle.admit("ada", network, ada)
    for _ in range(PAIR.requests * 2):
        assert await refused(throttle, "ada", HOME, ada) <= STRANGERS.seconds


async def test_right_passwords_cost_nothing(throttle, store, ada):
    for number in range(max(NETWORK.requests, MANY.requests) + 10):
        # A network of its own each time: none is known yet.
        await throttle.succeeded(await throttle.admit("ada", f"n{number}", ada), ada)

    assert await refused(throttle, "ada", "another", ada) is None


def test_the_longer_strangers_guess_the_slower_they_get():
    limits = [strangers_limit(today) for today in range(MANY.requests + 50)]

    assert limits[0] == STRANGERS
    assert limits[-1] == STRANGERS_LATER
    assert [limit.requests for limit in limits] == sorted((limit.requests for limit in limits), reverse=True)
    assert all(limit.seconds <= 60 for limit in limits), "nobody is shut out for longer than a minute"
