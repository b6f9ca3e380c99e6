"""A fleet loses parts of itself in the middle of crawls: every row exactly once, and no process left behind."""

import os
import time
from collections import Counter

from benchmarks.tree import tree

from servers.fleet import Fleet

KILLS = int(os.environ.get("SCRAPEMASTER_TEST_KILLS", "3"))
PAGES = 1_000 * KILLS


def crawl_order(url, **config):
    return {
        "url": url,
        "selectors": {"n": "p.n::text"},
        "config": {
            "follow_links": True,
            "max_pages": 1_000_000,
            "concurrency": 16,
            "respect_robots": False,
            **config,
        },
    }


def assert_every_row_once(fleet, job_id, pages):
    job = fleet.finished(job_id, 240)
    assert (job["status"], job["stop_reason"]) == ("completed", "finished")
    assert (job["pages_fetched"], job["pages_failed"], job["items_scraped"]) == (pages, 0, pages)
    rows = Counter(int(row["data"]["n"]) for row in fleet.rows(job_id))
    assert rows == Counter(range(pages))


def test_two_workers_share_one_job(redis_server):
    with tree(PAGES, delay=0.01) as url, Fleet(redis_server.url, 2) as fleet:
        job = fleet.create(**crawl_order(url))

        end = time.monotonic() + 60
        while sum(worker["slices"] for worker in fleet.seen_workers()) < 2:
            assert time.monotonic() < end
            time.sleep(0.05)

        assert_every_row_once(fleet, job["id"], PAGES)
