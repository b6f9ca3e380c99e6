"""Following jobs through a real service."""

import itertools
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from benchmarks.service import Service
from benchmarks.tree import tree
from moody import moody_site
from sse import read

PAGES = 400


@pytest.fixture(scope="module")
def site():
    with tree(PAGES, delay=0.02) as url:
        yield url


@pytest.fixture(scope="module")
def done(running, site):
    return running.finished(crawl(running, site, max_pages=20)["id"])


def crawl(service, url, **config):
    return service.create(
        url=url,
        selectors={"n": "p.n::text"},
        config={"follow_links": True, "max_pages": 10_000, "respect_robots": False, **config},
    )


def follow(service, job, last=None, session=None):
    return (session or service.http).get(
        f"{service.base}/jobs/{job['id']}/events",
        headers={} if last is None else {"Last-Event-ID": last},
        stream=True,
        timeout=60,
    )


def test_a_job_is_followed_to_its_end(running, site):
    job = crawl(running, site)
    with follow(running, job) as answer:
        sent = list(read(answer))

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert (sent[0].name, sent[0].data) == ("retry", 2_000)
    assert sent[-1].name == "end"
    assert sent[-1].data == running.job(job["id"])
    assert sent[-1].data["status"] == "completed"
    lines = [one for one in sent if one.name == "log"]
    assert [line.data["event"] for line in lines] == ["created", "started", "ended"]
    assert [line.id for line in lines] == ["1", "2", "3"]
    ids = [one.id for one in sent[1:]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"\d+(\.(\d+|end))?", one) for one in ids)
    shown = [one.data for one in sent if one.name == "progress"]
    assert len(shown) > 1
    assert all(before != after for before, after in itertools.pairwise(shown))
    assert [one["progress"] for one in shown] == sorted(one["progress"] for one in shown)
    assert shown[-1]["pages_fetched"] == PAGES
    items = [one.data["items_scraped"] for one in sent if one.name == "items"]
    assert items == sorted(set(items))
    assert items[-1] == PAGES


def test_a_job_that_is_over_tells_its_log_and_its_end(running, done):
    with follow(running, done) as answer:
        sent = list(read(answer))

    assert [one.name for one in sent] == ["retry", "log", "log", "log", "progress", "items", "end"]
    assert sent[-1].data == done


def test_a_stream_goes_on_behind_the_last_event(running, done):
    for last, seqs in [("1", [2, 3]), ("2.7", [3]), ("3.1", []), ("0", [1, 2, 3]), ("", [1, 2, 3])]:
        with follow(running, done, last) as answer:
            assert [one.data["seq"] for one in read(answer) if one.name == "log"] == seqs


def test_behind_the_end_there_is_nothing(running, done):
    with follow(running, done) as answer:
        end = list(read(answer))[-1]

    again = follow(running, done, end.id)

    assert (again.status_code, again.content) == (204, b"")


@pytest.mark.parametrize("last", ["x", "-1", "1.x", "1.2.3", "9" * 16, "1 2"])
def test_what_is_no_event_id_is_refused(running, done, last):
    answer = follow(running, done, last)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["header", "Last-Event-ID"]


def test_H28_anothers_job_cannot_be_followed(running, done, stranger):
    for path in ("events", "log"):
        answer = stranger.get(f"{running.base}/jobs/{done['id']}/{path}", timeout=30)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Job not found"})


def test_no_line_is_lost_by_a_watcher_that_leaves_after_every_event(running):
    with moody_site(40) as moody:
        moody.broken, moody.delay = set(range(1, 40, 2)), 0.05
        job = crawl(running, f"{moody.url}/0", concurrency=2, max_depth=1)
        last, seqs, over = None, [], False
        while not over:
            over = running.job(job["id"])["status"] == "completed"
            with follow(running, job, last) as answer:
                for one in read(answer):
                    if one.id is None:
                        continue
                    last = one.id
                    if one.name == "log":
                        seqs.append(one.data["seq"])
                    if not over:
                        break

    log = running.http.get(f"{running.base}/jobs/{job['id']}/log").json()
    assert seqs == [line["seq"] for line in log]
    assert {line["event"] for line in log} == {"created", "started", "pages_failed", "warning", "ended"}


def test_acts_of_the_user_are_told_at_once(running, site):
    job = crawl(running, site, delay=1)
    with follow(running, job) as answer:
        told = (one.data["event"] for one in read(answer) if one.name == "log")
        assert next(told) == "created"
        assert next(told) == "started"
        running.act(job["id"], "pause")
        assert next(told) == "paused"
        running.act(job["id"], "resume")
        assert next(told) == "resumed"
        running.act(job["id"], "cancel")
        assert next(told) == "ended"


def test_a_job_deleted_under_a_watcher_ends_the_stream(running, site):
    job = crawl(running, site, delay=1)
    with follow(running, job) as answer:
        sent = read(answer)
        assert next(sent).name == "retry"
        url = f"{running.base}/jobs/{job['id']}"
        for _ in range(2):
            running.http.delete(url).raise_for_status()
        end = list(sent)[-1]

    assert end.name == "end"
    assert end.data is None or end.data["status"] == "cancelled"


def test_the_log_is_read_in_pages(running, done):
    url = f"{running.base}/jobs/{done['id']}/log"
    lines = running.http.get(url).json()

    assert [set(line) for line in lines] == [{"seq", "at", "level", "event", "message"}] * 3
    assert running.http.get(url, params={"after": 1, "limit": 1}).json() == lines[1:2]
    assert lines[2]["message"] == "completed (max_pages)"
    for query in ("limit=0", "limit=1001", "after=-1", "after=x"):
        assert running.http.get(f"{url}?{query}").status_code == 422


def test_H48_a_stopping_service_ends_streams_in_time_and_they_go_on_after_it():
    with tree(5_000, delay=0.02) as url, Service() as service:
        job = crawl(service, url)
        seen = []

        def watch(last=None):
            with follow(service, job, last) as answer:
                seen.extend(read(answer))

        watcher = threading.Thread(target=watch)
        watcher.start()
        while not any(one.name == "progress" and one.data["pages_fetched"] for one in seen):
            time.sleep(0.01)

        assert service.stop() == 0
        watcher.join(timeout=30)

        assert not watcher.is_alive()
        assert all(one.name != "end" for one in seen)
        service.start()
        service.act(job["id"], "cancel")
        watch(seen[-1].id)
        seqs = [one.data["seq"] for one in seen if one.name == "log"]
        assert seqs == sorted(set(seqs))
        assert (seen[-1].name, seen[-1].data["status"]) == ("end", "cancelled")


def test_watchers_that_go_away_leave_nothing_behind(running, site):
    job = crawl(running, site, delay=5)
    program = (
        "import sys, requests\n"
        "session = requests.Session()\n"
        "answers = [requests.get(sys.argv[1], headers={'Authorization': sys.argv[2]}, stream=True) for _ in range(20)]\n"
        "print(sum(answer.status_code == 200 for answer in answers), flush=True)\n"
        "sys.stdin.read()\n"
    )
    token = running.http.headers["Authorization"]
    before = connections(running.port)

    watcher = subprocess.Popen(
        [sys.executable, "-c", program, f"{running.base}/jobs/{job['id']}/events", token],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    assert watcher.stdout.readline() == b"20\n"
    assert connections(running.port) >= before + 20
    watcher.kill()
    watcher.communicate()

    end = time.monotonic() + 60
    while connections(running.port) > before:
        assert time.monotonic() < end
        time.sleep(0.05)
    running.act(job["id"], "cancel")


def connections(port):
    """The clients that are connected to a port, or were and are not let go of yet."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] in {"01", "08"} for row in rows)
