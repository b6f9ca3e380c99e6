"""The clock of one worker of a fleet jumps: nobody's work is taken away, none is left lying."""

import time

import pytest
from benchmarks.tree import tree

from servers.clock import FakeClock
from servers.fleet import Fleet, assert_every_row_once, crawl_order, until
from servers.mongo import own_server

pytestmark = pytest.mark.slow
PAGES = 2_000
HOUR = 3_600


@pytest.mark.soak
@pytest.mark.parametrize("hours", [1, -1])
def test_H46_a_worker_whose_clock_jumps_neither_takes_leases_nor_leaves_them_lying(
    redis_server, tmp_path, hours
):
    clock = FakeClock(tmp_path / "clock")
    with (
        own_server() as mongod,
        tree(PAGES, delay=0.05) as url,
        Fleet(redis_server.url, 1, SCRAPEMASTER_MONGODB_URL=mongod.url("clock")) as fleet,
    ):
        jumping = fleet.add_worker(**clock.environment)
        fleet.wait_for_workers(2)
        later = fleet.http.post(
            f"{fleet.base}/schedules",
            json={"cron": in_half_an_hour(), "job": {"name": "later", "url": "http://127.0.0.1:9/"}},
        )
        later.raise_for_status()
        job = fleet.create(**crawl_order(url, concurrency=16))
        until(lambda: fleet.job(job["id"])["pages_fetched"] > PAGES // 10)

        clock.jump(hours * HOUR)
        until(lambda: fleet.job(job["id"])["pages_fetched"] > PAGES // 2)
        # Killed with leases in hand, which must end as soon as others'.
        jumping.kill()

        assert_every_row_once(fleet, job["id"], PAGES)
        assert [one["name"] for one in fleet.http.get(f"{fleet.base}/jobs").json()] == [None]


def in_half_an_hour():
    """A cron expression for a time that the clock of nobody but a jumping worker shows before the test is over."""
    at = time.gmtime(time.time() + HOUR / 2)
    return f"{at.tm_min} {at.tm_hour} * * *"
