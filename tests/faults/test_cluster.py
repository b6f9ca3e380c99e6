"""A fleet whose parts have network addresses of their own, in network namespaces."""

import os
import threading
import time

import pytest
import requests
from benchmarks.cluster import Cluster
from benchmarks.network import available

from servers.mongo import missing
from servers.redis import program as redis_server

PAGES = 40
WORKERS = 3
#: Seconds for which a part cannot be reached.
OUTAGE = float(os.environ.get("SCRAPEMASTER_TEST_OUTAGE", "12"))


@pytest.fixture(scope="module")
def cluster():
    if not available():
        missing("network namespaces need root and the program ip (apt-get install iproute2)")
    with Cluster(PAGES, redis=redis_server()) as made:
        for _ in range(WORKERS):
            made.add_worker()
        yield made


def assert_every_page_once(cluster, crawl):
    assert (crawl.job["status"], crawl.job["pages_failed"]) == ("completed", 0), crawl.job
    assert crawl.rows == cluster.expected()


@pytest.mark.soak
@pytest.mark.slow
def test_three_workers_crawl_thirty_hosts_and_each_host_sees_its_delay_kept(cluster):
    delay = 0.1

    crawl = cluster.crawl(concurrency=64, delay=delay)

    assert_every_page_once(cluster, crawl)
    assert crawl.asked == cluster.expected()
    gaps = [gap for of_host in crawl.gaps.values() for gap in of_host]
    assert len(gaps) == len(cluster.names) * (PAGES - 1)
    # On a busy machine a request that was let go in time may arrive late, and the next one not.
    assert sum(gap < delay / 2 for gap in gaps) <= len(gaps) / 50
    assert min(sum(of_host) for of_host in crawl.gaps.values()) >= (PAGES - 2) * delay


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.parametrize("part", ["redis", "mongo"])
def test_H44_a_part_that_cannot_be_reached_for_a_while_loses_nothing(cluster, part):
    answers = []

    def unplug():
        time.sleep(2)
        with cluster.network.unplugged(part):
            end = time.monotonic() + OUTAGE
            while time.monotonic() < end:
                try:
                    answer = requests.get(
                        f"{cluster.base}/jobs", headers=dict(cluster.http.headers), timeout=20
                    )
                    answers.append((answer.status_code, answer.headers.get("Retry-After")))
                except requests.RequestException as error:
                    answers.append((type(error).__name__, None))
                time.sleep(0.5)

    away = threading.Thread(target=unplug)
    away.start()
    crawl = cluster.crawl(concurrency=64, delay=0.3)
    away.join()

    assert_every_page_once(cluster, crawl)
    assert {status for status, _ in answers} <= {200, 503}, answers
    assert all(wait is not None for status, wait in answers if status == 503)
    if part == "mongo":
        assert 503 in {status for status, _ in answers}, answers
