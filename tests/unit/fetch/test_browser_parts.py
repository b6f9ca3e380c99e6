"""Parts of the browser engine that need no browser."""

import asyncio
import os
import socket
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.errors import GiveUpPage, InvalidSetting, RetryPage
from scrapemaster.fetch.browser.chromium import NoChromium, environment, find_chromium, sandboxed
from scrapemaster.fetch.browser.cookies import CookieJar
from scrapemaster.fetch.browser.failures import failure_of
from scrapemaster.fetch.browser.peer import _asked, _listed, is_ours, owner_of
from scrapemaster.fetch.browser.places import Places
from scrapemaster.fetch.browser.processes import resident, tree_of
from scrapemaster.fetch.browser.visit import agent_of


async def test_H39_places_are_given_in_turns_however_many_ask():
    places = Places(2)
    served = []

    async def one(owner):
        await places.take(owner)
        served.append(owner)
        await asyncio.sleep(0)
        places.give_back()

    await asyncio.gather(*(one("many") for _ in range(20)), one("few"))

    assert served.index("few") <= 4
    assert Counter(served) == {"many": 20, "few": 1}


async def test_a_place_is_not_lost_with_one_who_stops_waiting():
    places = Places(1)
    await places.take("a")
    waiting = [asyncio.create_task(places.take(name)) for name in ("b", "c")]
    await asyncio.sleep(0)

    waiting[0].cancel()
    places.give_back()
    await asyncio.wait_for(waiting[1], 5)
    waiting[1].cancel()
    places.give_back()

    await asyncio.wait_for(places.take("d"), 5)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30), st.integers(1, 4))
def test_no_more_places_are_taken_than_there_are(askers, number):
    async def run():
        places, inside, most = Places(number), 0, 0

        async def one(owner, patient):
            nonlocal inside, most
            try:
                async with asyncio.timeout(None if patient else 0):
                    await places.take(owner)
            except TimeoutError:
                return
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            places.give_back()

        await asyncio.gather(*(one(*asker) for asker in askers))
        for _ in range(number):
            await asyncio.wait_for(places.take("all"), 5)
        return most

    assert asyncio.run(run()) <= number


def test_the_owner_of_a_connection_is_told_by_either_way():
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = server.getsockname()
        with socket.create_connection(here) as client:
            accepted, there = server.accept()
            with accepted:
                assert client.getsockname() == there
                assert {ask(there, here) for ask in (_asked, _listed, owner_of)} == {os.getuid()}
                assert is_ours(there, here)
                assert not is_ours(("127.0.0.1", 1), here)


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ("Page.goto: net::ERR_CERT_AUTHORITY_INVALID at https://a/", GiveUpPage, "tls_error"),
        ("Page.goto: net::ERR_SSL_PROTOCOL_ERROR at https://a/", RetryPage, "tls_error"),
        ("net::ERR_EMPTY_RESPONSE", RetryPage, "connection_reset"),
        ("net::ERR_SOMETHING_NEW", RetryPage, "network_error"),
        ("Page.goto: Page crashed", RetryPage, "page_crashed"),
        ("Timeout 30000ms exceeded.", RetryPage, "timeout"),
        ("Target page, context or browser has been closed", RetryPage, "browser_crashed"),
    ],
)
def test_what_playwright_says_becomes_a_reason(said, kind, reason):
    error = failure_of(said)

    assert (type(error), error.reason) == (kind, reason)


def test_a_chromium_is_found_by_setting_on_the_path_or_among_playwrights(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "own"))
    with pytest.raises(NoChromium, match="playwright install"):
        find_chromium(None)
    with pytest.raises(InvalidSetting, match="SCRAPEMASTER_BROWSER_EXECUTABLE"):
        find_chromium("chromium")

    own = tmp_path / "own" / "chromium-1200" / "chrome-linux" / "chrome"
    own.parent.mkdir(parents=True)
    own.touch(mode=0o755)
    assert find_chromium(None) == own
    (tmp_path / "chromium").touch(mode=0o755)
    assert find_chromium(None) == tmp_path / "chromium"
    assert find_chromium(str(own)) == own


def test_H36_chromium_sees_no_secret_of_the_service(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRAPEMASTER_SECRET_KEY", "x" * 40)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")

    seen = environment(tmp_path)

    assert seen["HOME"] == str(tmp_path)
    assert not any("SECRET" in name for name in seen)
    assert "DISPLAY" not in seen


def test_the_sandbox_is_used_unless_root_or_told_otherwise():
    assert sandboxed("on")
    assert not sandboxed("off")
    assert sandboxed("auto") == (os.geteuid() != 0)


def test_a_jar_keeps_the_last_cookie_of_a_name_and_forgets_the_oldest():
    jar = CookieJar({"sid": "1"}, ["http://a"])
    jar.merge({"name": f"c{n}", "value": "x", "domain": "a", "path": "/"} for n in range(1_005))
    jar.merge([{"name": "c1004", "value": "new", "domain": "a", "path": "/"}])

    cookies = jar.state()["cookies"]

    assert len(cookies) == 1_000
    assert (cookies[-1]["value"], cookies[0]["name"]) == ("new", "c5")


def test_the_user_agent_is_that_of_a_browser_with_a_window():
    assert agent_of("156.0.8078.79").endswith("Chrome/156.0.0.0 Safari/537.36")


def test_memory_of_a_tree_counts_what_is_shared_once():
    tree = tree_of(os.getpid())

    assert tree[0].pid == os.getpid()
    assert 1_000_000 < resident(tree[:1]) < 10**10
    assert tree_of(2**22 + 1) == []
    assert resident([]) == 0
