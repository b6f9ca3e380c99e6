"""A fleet whose Redis wants TLS and a password: it works, and what is wrong is said at the start."""

import asyncio
import os
import subprocess
import sys

import pytest
from benchmarks.manual_server import free_port
from benchmarks.tree import tree

from scrapemaster.domain.errors import InvalidSetting
from scrapemaster.fleet.refusal import check
from servers.fleet import Fleet, assert_every_row_once, crawl_order, until
from servers.redis_tls import TlsRedisServer, make_authority

pytestmark = pytest.mark.slow


@pytest.fixture
def secured(tmp_path):
    with TlsRedisServer(tmp_path) as server:
        yield server


@pytest.mark.soak
def test_a_job_runs_on_two_workers_over_tls_with_user_and_password(secured):
    with tree(1_000, delay=0.05) as url, Fleet(secured.url, 2) as fleet:
        job = fleet.create(**crawl_order(url))

        until(lambda: sum(worker["slices"] > 0 for worker in fleet.seen_workers()) == 2)

        assert_every_row_once(fleet, job["id"], 1_000)
        assert fleet.system()["redis"] == "healthy"


@pytest.mark.soak
def test_a_fleet_goes_on_when_its_redis_with_tls_was_killed(secured):
    with tree(1_000, delay=0.05) as url, Fleet(secured.url, 2) as fleet:
        job = fleet.create(**crawl_order(url))
        until(lambda: sum(worker["slices"] > 0 for worker in fleet.seen_workers()) == 2)

        secured.kill()
        until(lambda: fleet.system()["redis"] != "healthy")
        secured.start()

        assert_every_row_once(fleet, job["id"], 1_000)


@pytest.mark.parametrize("command", ["api", "worker", "all"])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "guessed"}, "does not take the user and password"),
        ({"ca": "other.crt"}, "certificate of Redis cannot be verified"),
    ],
)
def test_a_wrong_password_or_authority_stops_the_start_with_a_sentence(
    secured, tmp_path, command, wrong, words
):
    if "ca" in wrong:
        wrong = {"ca": make_authority(tmp_path, "other")}
    port = ("--port", str(free_port())) if command != "worker" else ()

    ended = subprocess.run(
        [sys.executable, "-m", "scrapemaster", command, *port, "--data-dir", str(tmp_path / "data")],
        env={**os.environ, "SCRAPEMASTER_REDIS_URL": secured.address(**wrong)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 2
    assert "SCRAPEMASTER_REDIS_URL" in ended.stderr
    assert words in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
    assert "guessed" not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (lambda server: server.address(user="nobody"), "does not take the user and password"),
        (lambda server: server.url.replace("shop:", ":", 1), "does not take the user and password"),
        (lambda server: server.url.partition("?")[0], "cannot be verified"),
        (
            lambda server: server.url.replace("127.0.0.1", "localhost"),
            "cannot be verified: Hostname mismatch",
        ),
        (lambda server: server.address(ca="/nowhere/ca.crt"), "cannot be read: No such file"),
        (lambda server: server.address(ca=__file__), "TLS with Redis fails"),
        (lambda server: server.url.replace("rediss:", "redis:"), "need rediss://"),
        (lambda server: server.url + "&nonsense=1", "'nonsense'"),
        (lambda server: server.url.replace("/0?", "/99?"), "DB index is out of range"),
    ],
)
async def test_what_will_never_work_is_told_in_a_sentence(secured, of, words):
    with pytest.raises(InvalidSetting, match=words):
        await check(of(secured))
    await every_connection_closed()


async def test_a_redis_that_is_away_is_waited_for(secured):
    secured.kill()

    await check(secured.url)


async def every_connection_closed(seconds=10):
    """Return when the loop watches nothing but itself: a refused connection with TLS says good-bye after the refusal was told."""
    watched = asyncio.get_running_loop()._selector.get_map()
    async with asyncio.timeout(seconds):
        while len(watched) > 1:  # noqa: ASYNC110 -- nobody tells when a connection is closed
            await asyncio.sleep(0.01)
