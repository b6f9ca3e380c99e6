"""Honest data and hostile content, through a real service and a site that misbehaves."""

import asyncio
import os
import resource
import signal
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from awkward import awkward_site
from benchmarks.service import Service
from benchmarks.tree import tree

from scrapemaster.crawl.recorder import FlightRecorder
from scrapemaster.domain.ids import JobId

#: Seconds that extracting a page may take here.
EXTRACT_SECONDS = 3
#: On the page `/nested` this takes hours.
ENDLESS = "//div[count(.//p[count(following::p[count(preceding::p) > 0]) > 0]) > 5]"


@contextmanager
def running_site():
    """The misbehaving site in a thread, for services in processes of their own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    state = {}

    async def serve():
        state["stop"] = asyncio.Event()
        async with awkward_site() as site:
            state["site"] = site
            ready.set()
            await state["stop"].wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield state["site"]
    finally:
        loop.call_soon_threadsafe(state["stop"].set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def site():
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def service():
    with Service(SCRAPEMASTER_EXTRACT_SECONDS=str(EXTRACT_SECONDS)) as running:
        yield running


def finished(service, site, path, **order):
    config = {"respect_robots": False, "max_retries": 0, **order.pop("config", {})}
    job = service.create(url=site.url(path), config=config, **order)
    return service.finished(job["id"])


def only_error(service, job):
    (error,) = service.errors(job["id"])
    return error


def children_of(pid, what):
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            if what in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/challenge", "challenge"),
        ("/challenge-403", "challenge"),
        ("/blocked-200", "blocked"),
        ("/login-wall", "login_wall"),
        ("/empty", "empty_body"),
        ("/shell", "script_shell"),
    ],
)
def test_H22_a_page_that_is_none_fails_with_its_reason_and_evidence(service, site, path, reason):
    job = finished(service, site, path, selectors={"t": "h1.product::text"})

    error = only_error(service, job)
    assert (job["status"], error["reason"]) == ("failed", reason)
    assert set(error["evidence"]) == {"mark", "title", "text", "engine", "engine_reason"}
    assert job["items_scraped"] == 0


def test_H22_a_job_whose_pages_were_all_blocked_says_so_after_its_retries(service, site):
    before = site.hits["/challenge"]

    job = finished(service, site, "/challenge", engine="http", config={"max_retries": 1})

    assert (job["status"], job["stop_reason"]) == ("failed", "blocked")
    assert site.hits["/challenge"] - before == 2
    assert only_error(service, job)["attempts"] == 2


def test_an_ordinary_failure_has_no_evidence(service, site):
    job = finished(service, site, "/missing")

    error = only_error(service, job)
    assert (error["reason"], error["evidence"]) == ("http_404", None)


def test_a_job_shows_how_often_each_field_was_filled(service, site):
    selectors = {"name": "h2::text", "price": "b::text", "size": "u::text"}
    job = finished(service, site, "/list?full=12", selectors=selectors, config={"item": "article"})

    assert job["fill"] == {
        "name": {"filled": 12, "rate": 1.0},
        "price": {"filled": 12, "rate": 1.0},
        "size": {"filled": 0, "rate": 0.0},
    }
    assert "never filled in any of 12 items: size" in job["warnings"]


def test_a_field_that_is_filled_half_as_often_as_in_the_last_run_raises_the_alarm(service, site):
    selectors = {"name": "h2::text", "price": "b::text"}
    order = {"selectors": selectors, "config": {"item": "article"}, "name": "nightly"}
    finished(service, site, "/list?full=40", **order)

    job = finished(service, site, "/list?full=4&bare=12", **order)

    assert "price was filled in 25.0% of the items; in the previous run in 100.0%" in job["warnings"]
    assert "16 items were found; the previous run found 40" in job["warnings"]


def test_H26_an_endless_xpath_fails_its_page_and_harms_no_other_job(service, site):
    with tree(300) as url:
        bad = service.create(
            url=site.url("/nested"), selectors={"x": ENDLESS}, config={"respect_robots": False}
        )
        good = service.create(
            url=url,
            selectors={"n": "p.n::text"},
            config={"follow_links": True, "max_pages": 1_000, "respect_robots": False},
        )
        crawler = service.crawler_pid()

        good, bad = service.finished(good["id"]), service.finished(bad["id"])

    assert (good["status"], good["items_scraped"]) == ("completed", 300)
    assert (bad["status"], only_error(service, bad)["reason"]) == ("failed", "extract_timeout")
    assert service.crawler_pid() == crawler


@pytest.mark.parametrize("path", ["/deep", "/many-attributes", "/much-text", "/unclosed"])
def test_H17_monstrous_pages_end_and_kill_no_crawler(service, site, path):
    crawler = service.crawler_pid()

    job = finished(
        service,
        site,
        path,
        selectors={"t": "title::text", "a": "div p a::text"},
        config={"max_body_bytes": 60_000_000},
    )

    assert job["status"] in {"completed", "failed"}
    if job["status"] == "failed":
        assert only_error(service, job)["reason"] in {"extract_timeout", "extract_memory", "bad_markup"}
    assert service.crawler_pid() == crawler


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/pdf", "not_html"),
        ("/pdf-as-html", "not_html"),
        ("/zip-as-html", "not_html"),
        ("/video-as-html", "not_html"),
        ("/video", "not_html"),
        ("/attachment", "download"),
    ],
)
def test_H24_files_are_skipped_with_a_reason_and_never_parsed(service, site, path, reason):
    job = finished(service, site, path, selectors={"t": "title::text"})

    error = only_error(service, job)
    assert (error["state"], error["reason"]) == ("skipped", reason)
    assert job["items_scraped"] == 0


def test_H20_an_endless_calendar_and_endless_paths_are_bounded_and_reported(service, site):
    config = {"follow_links": True, "max_pages": 10_000, "max_depth": 12, "concurrency": 16}
    calendar = finished(service, site, "/calendar?month=0", config=config)
    paths = finished(service, site, "/ever/a", config=config)
    queries = finished(service, site, "/ever-query?a=1", config=config)

    assert calendar["status"] == "completed"
    assert calendar["pages_fetched"] <= 30
    for job in (paths, queries):
        assert job["status"] == "completed"
        assert job["pages_fetched"] < 100
        assert any("look endless" in warning for warning in job["warnings"])


def test_H21_pages_with_very_many_links_or_hosts_are_taken_in_bounded_memory(site):
    config = {"follow_links": True, "max_pages": 1, "max_body_bytes": 60_000_000}
    with Service(SCRAPEMASTER_EXTRACT_SECONDS="120") as service:
        jobs = [
            finished(service, site, path, config=config, selectors={"t": "title::text"})
            for path in ("/million-links", "/many-hosts")
        ]
        status = Path(f"/proc/{service.crawler_pid()}/status").read_text()

    for job in jobs:
        assert (job["status"], job["items_scraped"]) == ("completed", 1)
        assert job["pages_discovered"] <= 50_001
    assert any("50,000 links" in warning for warning in jobs[0]["warnings"])
    assert int(status.partition("VmHWM:")[2].split()[0]) < 1_000_000


def test_H47_a_page_whose_work_kills_its_process_becomes_poison_after_three_tries(site):
    with Service(SCRAPEMASTER_EXTRACT_SECONDS="60") as service:
        job = service.create(
            url=site.url("/nested"), selectors={"x": ENDLESS}, config={"respect_robots": False}
        )
        killed = set()
        while service.job(job["id"])["status"] in {"pending", "running"} and len(killed) < 3:
            for child in children_of(service.crawler_pid(), b"isolated_worker"):
                # Only one that is at work: it has read the page.
                if child not in killed and _cpu_seconds(child) > 2.0:
                    killed.add(child)
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.05)

        job = service.finished(job["id"])

        assert (job["status"], only_error(service, job)["reason"]) == ("failed", "poison")
        assert len(killed) == 3


def _cpu_seconds(pid):
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def test_H47_a_crawler_that_hangs_at_a_page_is_replaced_and_goes_on():
    with tree(50) as url, Service() as service:
        while service.crawler_pid() is None:
            time.sleep(0.05)
        crawler = service.crawler_pid()
        service.finished(service.create(url=url)["id"])
        recorder = FlightRecorder(service.data_dir / "crawler.page")

        # As a crawler leaves it that does not come back from a page.
        recorder.begin(JobId("some job"), 7)

        while service.crawler_pid() in {crawler, None}:
            time.sleep(0.1)
        job = service.finished(service.create(url=url, config={"follow_links": True})["id"])
        assert (job["status"], job["pages_fetched"]) == ("completed", 50)
        assert recorder.under_way() is None
        recorder.close()


def test_H47_a_crawler_out_of_file_descriptors_goes_on_when_there_are_some_again():
    with tree(200) as url, Service() as service:
        while service.crawler_pid() is None:
            time.sleep(0.05)
        crawler = service.crawler_pid()
        service.finished(service.create(url=url)["id"])
        before = resource.prlimit(crawler, resource.RLIMIT_NOFILE)
        used = max(int(entry.name) for entry in Path(f"/proc/{crawler}/fd").iterdir())
        resource.prlimit(crawler, resource.RLIMIT_NOFILE, (used, before[1]))

        job = service.create(
            url=url,
            selectors={"n": "p.n::text"},
            config={"follow_links": True, "max_pages": 1_000, "max_retries": 10, "respect_robots": False},
        )
        time.sleep(1.0)
        resource.prlimit(crawler, resource.RLIMIT_NOFILE, before)

        job = service.finished(job["id"])
        assert (job["status"], job["items_scraped"]) == ("completed", 200)
