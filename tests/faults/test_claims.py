"""Services that would each queue and throttle alone do not share a MongoDB database."""

import asyncio
import signal
from uuid import uuid4

import pytest
import requests
from benchmarks.service import Service
from pymongo import AsyncMongoClient

from scrapemaster.domain.claims import Claim, Kind
from scrapemaster.domain.errors import StoreBroken
from scrapemaster.storage.mongo.store import MongoStore
from servers.fleet import Fleet
from servers.mongo import database_url

ONE = Claim(Kind.EMBEDDED, "one", "on ada, process 1")
OTHER = Claim(Kind.EMBEDDED, "other", "on bob, process 2")
WORKERS = [Claim(Kind.FLEET, f"w{number}", f"on eve, process {number}") for number in range(2)]


@pytest.fixture
async def url():
    name = f"claims-{uuid4().hex}"
    address = database_url(name)
    yield address
    async with AsyncMongoClient(address) as client:
        await client.drop_database(name)


@pytest.fixture
async def claims(url):
    store = MongoStore(url)
    await store.open()
    yield store.claims
    await store.close()


def unheard(why):
    raise AssertionError(why)


async def test_H50_who_embeds_a_service_is_alone_and_processes_of_a_fleet_are_together(claims):
    async with claims.held(ONE, unheard):
        for claim in (OTHER, WORKERS[0]):
            with pytest.raises(
                StoreBroken, match="another ScrapeMaster service .on ada, process 1. is using"
            ):
                await claims.enter(claim)
    async with claims.held(WORKERS[0], unheard), claims.held(WORKERS[1], unheard):
        with pytest.raises(StoreBroken, match="a fleet of ScrapeMaster .on eve"):
            await claims.enter(ONE)
    await claims.enter(OTHER)


async def test_H50_several_who_renew_their_claims_in_turns_are_in_the_way_as_one_is(claims):
    async def renew(claim, after):
        await asyncio.sleep(after)
        while True:
            await claims.renew(claim)
            await asyncio.sleep(1.0)

    for claim in WORKERS:
        await claims.take(claim)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        renewing = [
            tasks.create_task(renew(claim, after)) for claim, after in zip(WORKERS, (0.0, 0.5), strict=True)
        ]
        with pytest.raises(StoreBroken, match="a fleet of ScrapeMaster"):
            await claims.enter(ONE)
        for task in renewing:
            task.cancel()


async def test_H41_who_was_killed_is_in_nobody_s_way_when_its_claim_has_ended(claims):
    assert await claims.take(ONE, 0.5) is None
    assert (await claims.take(OTHER)).claim == ONE
    # Its own past is never in the way.
    assert await claims.take(ONE, 0.5) is None

    async with asyncio.timeout(30):
        await claims.enter(OTHER)

    assert not await claims.renew(ONE)
    assert (await claims.take(ONE)).claim == OTHER


async def test_H45_who_stood_still_for_too_long_is_told_that_another_one_has_it(claims):
    told = asyncio.get_running_loop().create_future()
    async with claims.held(ONE, told.set_result):
        # As if it had not renewed its claim until that ended, and the other one had come then.
        await claims.drop(ONE)
        assert await claims.take(OTHER, 60.0) is None

        async with asyncio.timeout(30):
            assert "another ScrapeMaster service (on bob" in await told


@pytest.mark.slow
def test_H50_a_second_embedded_service_on_one_mongodb_says_so_and_stops(url, tmp_path):
    settings = {"SCRAPEMASTER_MONGODB_URL": url, "SCRAPEMASTER_LOG_LEVEL": "info"}
    with Service(None, None, tmp_path / "first", **settings) as first:
        second = Service(None, None, tmp_path / "log", SCRAPEMASTER_MONGODB_URL=url)
        with pytest.raises(RuntimeError, match="ended with code 2"):
            second.__enter__()

        said = " ".join((tmp_path / "log").read_text().split())
        assert "another ScrapeMaster service (on " in said
        assert f"process {first.pid}) is using the database" in said
        assert "SCRAPEMASTER_REDIS_URL" in said
        assert requests.get(f"http://127.0.0.1:{first.port}/readyz", timeout=30).status_code == 200

        # Killed, it comes back without waiting: its folder says that it is the same one.
        first.kill()
        first.start()
        log = (tmp_path / "first").read_text()
        assert log.count("service.ready") == 2
        assert "store.in_use" not in log


@pytest.mark.slow
@pytest.mark.soak
def test_H50_a_fleet_and_an_embedded_service_do_not_share_a_mongodb(url, redis_server, tmp_path):
    settings = {"SCRAPEMASTER_MONGODB_URL": url}
    with Fleet(redis_server.url, 1, **settings) as fleet:
        alone = Service(None, None, tmp_path / "log", **settings)
        with pytest.raises(RuntimeError, match="ended with code 2"):
            alone.__enter__()
        assert "a fleet of ScrapeMaster (on " in " ".join((tmp_path / "log").read_text().split())
        assert fleet.system()["crawler"] == "healthy"

    with Service(None, None, **settings):
        worker = fleet.add_worker()
        assert worker.wait(timeout=60) == 2


@pytest.mark.slow
@pytest.mark.soak
def test_H45_a_service_frozen_past_its_claim_stops_when_another_one_has_taken_its_place(url, tmp_path):
    settings = {"SCRAPEMASTER_MONGODB_URL": url}
    frozen = Service(None, None, tmp_path / "log", **settings)
    with frozen:
        frozen._process.send_signal(signal.SIGSTOP)
        with Service(None, None, **settings) as second:
            frozen._process.send_signal(signal.SIGCONT)

            assert frozen._process.wait(timeout=60) == 2
            assert requests.get(f"http://127.0.0.1:{second.port}/readyz", timeout=30).status_code == 200
    assert "is using the database" in " ".join((tmp_path / "log").read_text().split())
