"""A fleet over MongoDB and Redis loses parts of itself: what it says of that, and that no row is lost or doubled."""

import os
import random
import signal
import time
from contextlib import suppress

import pytest
import requests
from benchmarks.tree import tree

from servers.fleet import Fleet, assert_every_row_once, children_of, crawl_order, told_of, until
from servers.mongo import own_server

PAGES = 1_000 * int(os.environ.get("SCRAPEMASTER_TEST_KILLS", "3"))
pytestmark = pytest.mark.slow


@pytest.fixture
def mongo_server():
    with own_server() as server:
        yield server


@pytest.fixture
def both(redis_server, mongo_server):
    """Makes a fleet over both."""

    def make(workers, **settings):
        address = {"SCRAPEMASTER_MONGODB_URL": mongo_server.url("fleet")}
        return Fleet(redis_server.url, workers, **address, **settings)

    return make


@pytest.mark.soak
@pytest.mark.parametrize("limit", ["off", "1000000/hour"])
def test_H44_the_health_of_mongodb_is_told_to_who_has_a_token(both, mongo_server, limit):
    with both(1, SCRAPEMASTER_RATE_LIMIT=limit) as fleet:
        assert {fleet.system()[part] for part in ("redis", "mongodb", "crawler", "store")} == {"healthy"}

        mongo_server.kill()
        down = told_of(fleet, "mongodb", "unhealthy")
        assert fleet.system()["store"] == "unhealthy"
        assert fleet.system()["redis"] == "healthy"
        for credential in ("forged", fleet.http.headers["Authorization"].removeprefix("Bearer ") + "x"):
            answer = requests.get(
                f"{fleet.base}/monitoring/system",
                headers={"Authorization": f"Bearer {credential}"},
                timeout=30,
            )
            assert answer.status_code == 401
        answer = fleet.http.get(f"{fleet.base}/jobs", timeout=60)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1

        mongo_server.start()
        up = told_of(fleet, "mongodb", "healthy")
        until(lambda: fleet.http.get(f"{fleet.base}/jobs", timeout=60).status_code == 200)

    # The bound is what a quiet machine keeps; a busy one may double it.
    assert max(down, up) < 2 * 3.0


@pytest.mark.soak
def test_H44_mongodb_killed_in_mid_crawl_holds_all_up_and_loses_no_row(both, mongo_server):
    with tree(PAGES, delay=0.01) as url, both(2) as fleet:
        job = fleet.create(**crawl_order(url))
        until(lambda: fleet.job(job["id"])["pages_fetched"] > 100)

        mongo_server.kill()
        time.sleep(3.0)
        mongo_server.start()

        until(lambda: fleet.http.get(f"{fleet.base}/jobs", timeout=60).status_code == 200)
        assert_every_row_once(fleet, job["id"], PAGES)


def test_H41_killing_workers_mongodb_and_redis_at_random_loses_and_doubles_no_row(
    both, mongo_server, redis_server
):
    chance = random.Random(342)
    with tree(PAGES, delay=0.01) as url, both(3) as fleet:
        job = fleet.create(**crawl_order(url, concurrency=24))

        for server in (None, redis_server, None, mongo_server, None):
            time.sleep(chance.uniform(0.5, 2.0))
            if server is not None:
                server.kill()
                time.sleep(chance.uniform(0.1, 1.0))
                server.start()
                continue
            for pid in children_of(chance.choice(fleet.workers).pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        until(lambda: fleet.http.get(f"{fleet.base}/jobs", timeout=60).status_code == 200)
        assert_every_row_once(fleet, job["id"], PAGES)
        fleet.wait_for_workers(3)
