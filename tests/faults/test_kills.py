"""kill -9 of the service, whole or in part, in the middle of crawls: every row exactly once."""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from benchmarks.documents import POSTGRESQL, served
from benchmarks.service import Service
from benchmarks.tree import tree

KILLS = int(os.environ.get("SCRAPEMASTER_TEST_KILLS", "3"))
PAGES = 1_000 * KILLS


def crawl_order(url, engine="http"):
    return {
        "url": url,
        "engine": engine,
        "selectors": {"n": "p.n::text"},
        "config": {"follow_links": True, "max_pages": 1_000_000, "concurrency": 16, "respect_robots": False},
    }


def assert_every_row_once(service, job_id, pages):
    rows = Counter(int(row["data"]["n"]) for row in service.rows(job_id))
    assert rows == Counter(range(pages))


@pytest.mark.parametrize("engine", ["http", "scrapy"])
def test_H41_killing_the_crawler_again_and_again_loses_and_doubles_no_row(engine):
    chance = random.Random(41)
    with tree(PAGES, delay=0.002) as url, Service() as service:
        job = service.create(**crawl_order(url, engine))

        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 0.9))
            pid = service.crawler_pid()
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        job = service.finished(job["id"])
        assert (job["status"], job["stop_reason"]) == ("completed", "finished")
        assert (job["pages_fetched"], job["pages_failed"], job["items_scraped"]) == (PAGES, 0, PAGES)
        assert_every_row_once(service, job["id"], PAGES)


@pytest.mark.parametrize("crawler_too", [False, True], ids=["api alone", "all of it at once"])
def test_H41_killing_the_service_again_and_again_loses_and_doubles_no_row(crawler_too):
    chance = random.Random(141 + crawler_too)
    with tree(PAGES, delay=0.002) as url, Service() as service:
        job = service.create(**crawl_order(url))

        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 0.9))
            pid = service.crawler_pid()
            service.kill()
            if crawler_too and pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            service.start()

        job = service.finished(job["id"])
        assert (job["status"], job["stop_reason"]) == ("completed", "finished")
        assert (job["pages_fetched"], job["pages_failed"], job["items_scraped"]) == (PAGES, 0, PAGES)
        assert_every_row_once(service, job["id"], PAGES)


def test_H41_kills_in_the_crawl_of_a_real_manual_lose_and_double_no_row():
    if not POSTGRESQL.folder.is_dir():
        assert os.environ.get("CI") != "true", "CI must install postgresql-doc-15"
        pytest.skip("postgresql-doc-15 is not installed")
    chance = random.Random(241)
    with served(POSTGRESQL, 2 * KILLS) as site, Service() as service:
        job = service.create(
            urls=site.urls,
            selectors={"title": "title::text"},
            config={"follow_links": True, "max_pages": 1_000_000, "concurrency": 16},
        )

        for number in range(KILLS):
            time.sleep(chance.uniform(0.2, 1.2))
            pid = service.crawler_pid()
            if number % 2:
                service.kill()
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if number % 2:
                service.start()

        job = service.finished(job["id"], 300)
        rows = Counter(row["url"] for row in service.rows(job["id"]))
        assert (job["status"], job["stop_reason"]) == ("completed", "finished")
        assert (len(rows), set(rows.values())) == (site.pages, {1})
        assert (job["pages_fetched"], job["items_scraped"], job["pages_failed"]) == (
            site.pages,
            site.pages,
            0,
        )


def test_H41_no_crawler_outlives_its_service():
    with Service() as service:
        pid = service.crawler_pid()
        assert pid is not None

        service.kill()

        end = time.monotonic() + 10
        while time.monotonic() < end and Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists()


def test_H48_a_stop_signal_in_mid_crawl_ends_all_within_five_seconds_and_loses_nothing():
    with tree(5_000, delay=0.002) as url, Service() as service:
        job = service.create(**crawl_order(url))
        time.sleep(1.0)
        crawler = service.crawler_pid()

        began = time.monotonic()
        code = service.stop()

        assert code == 0
        assert time.monotonic() - began < 5.0
        assert not Path(f"/proc/{crawler}").exists()

        service.start()
        job = service.finished(job["id"])
        assert job["status"] == "completed"
        assert_every_row_once(service, job["id"], 5_000)


def test_H50_a_second_service_on_one_data_folder_says_so_and_stops(capfd):
    with Service() as service:
        second = Service(service.data_dir)

        with pytest.raises(RuntimeError, match="ended with code"):
            second.start()

        assert "another ScrapeMaster service is using the data folder" in capfd.readouterr().err
        assert requests.get(f"http://127.0.0.1:{service.port}/readyz", timeout=5).status_code == 200
