"""Pause, resume, cancel and limits, on a crawl at full speed."""

import time

import pytest
from benchmarks.service import Service
from benchmarks.tree import tree

PAGES = 50_000


@pytest.fixture(scope="module")
def site():
    with tree(PAGES) as url:
        yield url


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


def start(service, url, **config):
    job = service.create(
        url=url,
        selectors={"n": "p.n::text"},
        config={
            "follow_links": True,
            "max_pages": 1_000_000,
            "concurrency": 32,
            "respect_robots": False,
            **config,
        },
    )
    end = time.monotonic() + 20
    while service.job(job["id"])["pages_fetched"] < 200:
        assert time.monotonic() < end, "the crawl does not get going"
        time.sleep(0.05)
    return job["id"]


def test_a_paused_job_fetches_nothing_after_two_seconds_and_goes_on_when_resumed(service, site):
    job_id = start(service, site, max_pages=20_000)

    paused = service.act(job_id, "pause")
    time.sleep(2.0)
    at_two_seconds = service.job(job_id)
    time.sleep(1.0)
    later = service.job(job_id)

    assert paused["status"] == "paused"
    assert at_two_seconds["pages_fetched"] < 20_000
    assert later["pages_fetched"] == at_two_seconds["pages_fetched"]
    assert later["rate"] == 0.0

    assert service.act(job_id, "resume")["status"] in {"pending", "running"}
    ended = service.finished(job_id)
    assert (ended["status"], ended["stop_reason"]) == ("completed", "max_pages")
    assert ended["pages_fetched"] == 20_000


def test_a_cancelled_job_stops_within_two_seconds_and_keeps_its_rows(service, site):
    job_id = start(service, site)

    cancelled = service.act(job_id, "cancel")
    assert (cancelled["status"], cancelled["stop_reason"]) == ("cancelled", "cancelled_by_user")
    time.sleep(2.0)
    one, rows = service.job(job_id), len(service.rows(job_id))
    time.sleep(0.5)
    other = service.job(job_id)

    assert one["pages_fetched"] == other["pages_fetched"] < PAGES
    assert rows == one["items_scraped"] == other["items_scraped"]


def test_max_pages_is_exact(service, site):
    for limit in (1, 7, 333):
        job = service.create(
            url=site,
            selectors={"n": "p.n::text"},
            config={"follow_links": True, "max_pages": limit, "concurrency": 32, "respect_robots": False},
        )

        job = service.finished(job["id"])

        assert (job["status"], job["stop_reason"], job["pages_fetched"]) == ("completed", "max_pages", limit)
        assert job["progress"] == 100


def test_max_duration_ends_a_job_with_its_rows(service, site):
    job_id = start(service, site, max_duration=2)

    job = service.finished(job_id, 15)

    assert (job["status"], job["stop_reason"]) == ("completed", "max_duration")
    assert 0 < job["items_scraped"] == len(service.rows(job_id))


def test_progress_never_falls_while_a_job_runs(service, site):
    job_id = start(service, site, max_pages=15_000)
    seen = []

    while (job := service.job(job_id))["status"] == "running":
        seen.append(job["progress"])
        time.sleep(0.05)

    assert seen == sorted(seen)
    assert job["progress"] == 100
