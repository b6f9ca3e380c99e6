"""The `auto` engine in a fleet: workers choose each for themselves, and one that is killed while it renders loses no row and leaves no browser."""

import os
import signal
from collections import Counter

import pytest

from scrapemaster.demo.catalogue import PRODUCTS
from scrapemaster.fetch.browser.processes import tree_of
from servers.fleet import Fleet, gone, until
from servers.shop import demo_shop

PAGES = 40
#: Rows of a page that has none before its script has run.
DEALS = 8
ORDER = {
    "engine": "auto",
    "selectors": {"name": "h2::text", "price": ".price::text"},
    "config": {"item": "article.deal", "max_pages": PAGES, "concurrency": 8, "respect_robots": False},
}
pytestmark = pytest.mark.slow


def rendering(fleet):
    """The workers that have a slice of a job under way."""
    return [worker["pid"] for worker in fleet.seen_workers() if worker["slices"]]


@pytest.mark.parametrize(
    "killed",
    [pytest.param(False, marks=pytest.mark.soak, id="in peace"), pytest.param(True, id="a worker killed")],
)
def test_pages_of_scripts_are_rendered_by_the_fleet_and_each_row_is_there_once(redis_server, killed):
    with demo_shop() as port, Fleet(redis_server.url, 2) as fleet:
        site = f"http://127.0.0.1:{port}"
        urls = [f"{site}/deals?page={number}" for number in range(PAGES)]
        job = fleet.create(urls=urls, **ORDER)
        if killed:
            until(lambda: fleet.job(job["id"])["items_scraped"] >= DEALS)
            (victim, *_) = rendering(fleet)
            processes = [one.pid for one in tree_of(victim)]

            os.kill(victim, signal.SIGKILL)

            assert all(gone(pid, 20) for pid in processes)

        job = fleet.finished(job["id"], 240)
        rows = fleet.rows(job["id"])

    assert (job["status"], job["stop_reason"], job["engine_used"]) == ("completed", "finished", "browser")
    assert job["engines"]["browser"]["pages"] == PAGES
    assert Counter(row["url"] for row in rows) == dict.fromkeys(urls, DEALS)
    cheapest = [one.name for one in sorted(PRODUCTS, key=lambda one: one.price)[:DEALS]]
    assert {row["data"]["name"] for row in rows} == set(cheapest)
    assert {row["engine_used"] for row in rows} == {"browser"}


@pytest.mark.soak
def test_a_shop_of_plain_pages_is_crawled_plainly_by_the_fleet(redis_server):
    with demo_shop() as port, Fleet(redis_server.url, 2) as fleet:
        site = f"http://127.0.0.1:{port}"
        job = fleet.create(
            url=f"{site}/",
            engine="auto",
            selectors={"name": {"selector": "h1.product-title::text", "required": True}},
            config={"follow_links": True, "max_pages": 200},
        )
        job = fleet.finished(job["id"], 120)
        rows = fleet.rows(job["id"])

    assert (job["status"], job["pages_failed"]) == ("completed", 0)
    assert Counter(row["data"]["name"] for row in rows) == Counter(one.name for one in PRODUCTS)
    assert {row["engine_used"] for row in rows} == {"http"}
