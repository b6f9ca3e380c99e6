"""Spiders that are killed, and spiders that do what they must not: every row once, nobody harmed, nothing left."""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from benchmarks.service import Service
from benchmarks.tree import tree

from scrapemaster.spiders.confinement import confinable
from servers.fleet import Fleet
from servers.spiders import processes_with, run, upload
from servers.stores import ALSO_MONGO, settings_for

PAGES = 400
#: What all processes of spiders have in their command lines.
CHILD = "scrapemaster/spiders/child.py"


@pytest.fixture(scope="module", params=ALSO_MONGO)
def settings(request):
    with settings_for(request.param) as given:
        yield given


@pytest.fixture(scope="module")
def service(settings):
    limits = {
        "SCRAPEMASTER_SPIDER_PLACES": "16",
        "SCRAPEMASTER_SPIDER_STOP_SECONDS": "1",
        "SCRAPEMASTER_SPIDER_CPU_SECONDS": "4",
        "SCRAPEMASTER_SECRET_KEY": "k" * 40,
    }
    with Service(**limits, **settings) as running:
        assert upload(running, "walker").status_code == 201
        yield running


def spiders_of(service):
    """The processes of spiders below the service: wardens first, then what they run."""
    mine, found = {service.pid}, []
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 -- numbers are wanted, not paths
        if name.isdigit():
            with suppress(OSError):
                stat = Path(f"/proc/{name}/stat").read_bytes()
                parents[int(name)] = int(stat.rpartition(b")")[2].split()[1])
    for _ in range(5):
        mine |= {pid for pid, parent in parents.items() if parent in mine}
    for pid in sorted(mine):
        with suppress(OSError):
            if CHILD.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def walk(service, url):
    return service.create(
        engine="scrapy",
        spider="walk",
        spider_args={"start": url},
        config={"max_retries": 20, "concurrency": 8},
    )


def assert_every_row_once(service, job):
    rows = Counter(row["data"]["n"] for row in service.rows(job["id"]))
    assert rows == Counter(range(PAGES))


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.soak)])
def test_H41_killing_spiders_again_and_again_loses_and_doubles_no_row(service, kills):
    chance = random.Random(kills)
    # So slow that it is not over while somebody looks what to kill, also where the machine has other work.
    with tree(PAGES, delay=0.1) as url:
        job = walk(service, url)
        rows = 0

        def got_on():
            now = service.job(job["id"])
            assert now["finished_at"] is None, f"it was over before all kills: {now['stop_reason']}"
            return now["items_scraped"] > rows and spiders_of(service)

        for kill in range(kills):
            # As long as it takes to get on, so that each run has done something that the next one must not do again.
            until(got_on, 180)
            rows = min(PAGES // 2, service.job(job["id"])["items_scraped"] + chance.randrange(20))
            # Now the process itself, now the warden above it.
            for pid in spiders_of(service)[kill % 2 :][:1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        job = service.finished(job["id"], 240)
        assert (job["status"], job["stop_reason"]) == ("completed", "finished")
        assert (job["pages_fetched"], job["items_scraped"]) == (PAGES, PAGES)
        assert_every_row_once(service, job)
        lines = service.http.get(f"{service.base}/jobs/{job['id']}/log", params={"limit": 1000}).json()
        assert any("spider_died" in line["message"] for line in lines)
    until(lambda: not spiders_of(service))


def test_H41_killing_the_crawler_under_a_spider_leaves_no_process_and_loses_no_row(service):
    with tree(PAGES, delay=0.02) as url:
        job = walk(service, url)
        until(lambda: service.job(job["id"])["items_scraped"] > 40)
        before = spiders_of(service)

        os.kill(service.crawler_pid(), signal.SIGKILL)

        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))
        job = service.finished(job["id"], 120)
        assert (job["status"], job["items_scraped"]) == ("completed", PAGES)
        assert_every_row_once(service, job)


@pytest.mark.soak
def test_H41_killing_the_whole_service_under_a_spider_loses_no_row(tmp_path):
    with tree(PAGES, delay=0.02) as url, Service(tmp_path) as service:
        assert upload(service, "walker").status_code == 201
        job = walk(service, url)
        until(lambda: service.job(job["id"])["items_scraped"] > 40)
        before = spiders_of(service)

        service.kill()

        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before))
        service.start()
        job = service.finished(job["id"], 120)
        assert (job["status"], job["items_scraped"]) == ("completed", PAGES)
        assert_every_row_once(service, job)


@pytest.mark.soak
def test_H41_a_worker_of_a_fleet_that_is_killed_under_a_spider_loses_no_row(redis_server):
    with tree(PAGES, delay=0.02) as url, Fleet(redis_server.url, 2, bare=True) as fleet:
        assert upload(fleet, "walker").status_code == 201
        job = walk(fleet, url)
        until(lambda: fleet.job(job["id"])["items_scraped"] > 40)
        (busy,) = [worker["pid"] for worker in fleet.seen_workers() if worker["slices"]]
        before = processes_with(CHILD)

        os.kill(busy, signal.SIGKILL)

        until(lambda: not set(before) & set(processes_with(CHILD)))
        job = fleet.finished(job["id"], 200)
        assert (job["status"], job["items_scraped"]) == ("completed", PAGES)
        assert_every_row_once(fleet, job)


@pytest.mark.soak
def test_a_spider_that_was_paused_for_long_begins_anew_and_doubles_no_row():
    with tree(PAGES, delay=0.02) as url, Service(SCRAPEMASTER_SPIDER_PAUSE_SECONDS="0") as service:
        assert upload(service, "walker").status_code == 201
        job = walk(service, url)
        until(lambda: service.job(job["id"])["items_scraped"] > 40)

        service.act(job["id"], "pause")
        until(lambda: not spiders_of(service))
        service.act(job["id"], "resume")

        job = service.finished(job["id"], 120)
        assert (job["status"], job["items_scraped"]) == ("completed", PAGES)
        assert_every_row_once(service, job)


def test_what_a_spider_starts_ends_with_it(service):
    mark = f"child-of-spider-{os.getpid()}"
    ended = run(service, "wild", {"deed": "children", "path": mark, "port": "0"})
    assert ended["status"] == "completed"
    assert processes_with(mark) == []

    job = service.create(
        engine="scrapy", spider="wild", spider_args={"deed": "children", "path": mark, "port": "60"}
    )
    until(lambda: len(processes_with(f"\0{mark}")) == 3)
    service.act(job["id"], "cancel")
    until(lambda: processes_with(mark) == [])


@pytest.fixture(scope="module")
def deeds(service):
    """What came of each thing that a spider must not do, all tried at once."""
    secret = service.data_dir / "secret-of-another.txt"
    secret.write_text("secret")
    database = service.data_dir / "scrapemaster.db"
    database.touch()  # there is none where the store is MongoDB
    wanted = {
        "environment": {"deed": "environment"},
        "database": {"deed": "read", "path": str(database)},
        "file": {"deed": "read", "path": str(secret)},
        "writing": {"deed": "write", "path": str(service.data_dir / "new.txt")},
        "listing": {"deed": "listing", "path": str(service.data_dir)},
        "home": {"deed": "listing", "path": str(Path.home())},
        "api": {"deed": "connect", "port": str(service.port)},
        "signal": {"deed": "kill", "path": str(service.pid)},
        "secrets": {"deed": "peek", "path": str(service.pid)},
        "scratch": {"deed": "scratch"},
    }
    heavy = {"memory": {"deed": "memory"}, "spin": {"deed": "spin"}, "die": {"deed": "die"}}
    orders = [*wanted.items(), *heavy.items()]
    created = {
        name: service.create(
            engine="scrapy", spider="wild", spider_args=args, config={"max_retries": int(name == "die")}
        )
        for name, args in orders
    }
    ended = {name: service.finished(job["id"], 120) for name, job in created.items()}
    return ended, {name: [row["data"] for row in service.rows(job["id"])] for name, job in ended.items()}


def test_H40_a_spider_sees_nothing_of_our_settings(deeds):
    names = deeds[1]["environment"][0]["result"]

    assert "PATH" in names
    assert [name for name in names if "SCRAPEMASTER" in name or "WARDEN" in name] == []


@pytest.mark.skipif(not confinable(), reason="needs Landlock of Linux 6.7")
@pytest.mark.parametrize(
    "deed", ["database", "file", "writing", "listing", "home", "api", "signal", "secrets"]
)
def test_H40_a_spider_has_no_way_to_our_store_secrets_or_processes(service, deeds, deed):
    assert deeds[1][deed] == [{"deed": deeds[0][deed]["spider_args"]["deed"], "error": "PermissionError"}]
    assert service.http.get(f"{service.base}/auth/me").status_code == 200


def test_H40_a_spider_has_a_folder_of_its_own_that_goes_with_it(deeds):
    folder = deeds[1]["scratch"][0]["result"]

    assert "scrapemaster-spider-" in folder
    assert not Path(folder).exists()


def test_H40_a_spider_has_bounds_of_memory_and_time_and_its_end_is_told(deeds):
    jobs = deeds[0]

    assert (jobs["memory"]["status"], jobs["memory"]["stop_reason"]) == ("failed", "internal_error")
    assert "MemoryError" in jobs["memory"]["error"]
    assert jobs["spin"]["status"] == "failed"
    assert "more processor time than it may" in jobs["spin"]["error"]
    assert jobs["die"]["status"] == "failed"
    assert jobs["die"]["error"].startswith(
        "the spider's process died 2 times, so it is not started again: it was killed by signal 9"
    )
