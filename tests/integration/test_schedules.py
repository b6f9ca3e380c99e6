"""Standing orders through a real service."""

import sqlite3
import time
from datetime import UTC, datetime

import pytest
import requests
from benchmarks.service import Service
from benchmarks.tree import tree

JOB = {"url": "http://127.0.0.1:9/", "selectors": {"t": "h1::text"}, "config": {"max_retries": 0}}
DAILY = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "job": JOB}


@pytest.fixture(scope="module")
def url(running):
    return f"{running.base}/schedules"


def make(running, **changes):
    answer = running.http.post(f"{running.base}/schedules", json={**DAILY, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


def at(text):
    return datetime.fromisoformat(text)


def test_a_schedule_is_made_shown_changed_and_deleted(running, url):
    made = make(running, name="nightly")

    assert set(made) == {
        "id", "name", "cron", "timezone", "enabled", "overlap", "job", "next_run_at", "last_run_at", "last_job_id", "last_error",
        "created_at",
    }  # fmt: skip
    assert (made["name"], made["enabled"], made["overlap"], made["job"]) == ("nightly", True, "skip", JOB)
    assert at(made["next_run_at"]) > datetime.now(UTC)
    assert made["last_run_at"] is made["last_job_id"] is made["last_error"] is None
    one = f"{url}/{made['id']}"
    assert running.http.get(one).json() == made

    changed = running.http.patch(
        one, json={"name": None, "cron": "@hourly", "overlap": "allow", "job": {**JOB, "priority": "low"}}
    )
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["cron"], changed.json()["job"]["priority"]) == (
        None,
        "@hourly",
        "low",
    )
    assert at(changed.json()["next_run_at"]).minute == 0
    off = running.http.patch(one, json={"enabled": False}).json()
    assert (off["enabled"], off["next_run_at"], off["overlap"]) == (False, None, "allow")
    assert running.http.patch(one, json={}).json() == off

    assert running.http.delete(one).status_code == 204
    for answer in (running.http.get(one), running.http.delete(one), running.http.patch(one, json={})):
        assert (answer.status_code, answer.json()) == (404, {"detail": "Schedule not found"})


def test_schedules_are_listed_with_total_and_links(running, stranger):
    with_two = f"{running.base}/schedules"
    for name in ("a", "b"):
        assert stranger.post(with_two, json={**DAILY, "name": name}).status_code == 201

    answer = stranger.get(with_two, params={"limit": 1})

    assert [one["name"] for one in answer.json()] == ["b"]
    assert answer.headers["X-Total-Count"] == "2"
    assert 'rel="next"' in answer.headers["Link"]
    assert len(stranger.get(with_two).json()) == 2
    assert stranger.get(with_two, params={"limit": 101}).status_code == 422


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"cron": "61 * * * *"}, ["cron"], "Bad minute"),
        ({"cron": "*/10 * * * * *"}, ["cron"], "each minute"),
        ({"cron": ""}, ["cron"], "at least 1"),
        ({"cron": None}, ["cron"], "string"),
        ({"timezone": "Mars/Phobos"}, ["timezone"], "time zone"),
        ({"overlap": "maybe"}, ["overlap"], "'skip'"),
        ({"crom": "x"}, ["crom"], "not permitted"),
        ({"job": {}}, ["job"], "either url or urls"),
        ({"job": {"url": "ftp://a/"}}, ["job", "url"], "only http and https"),
        ({"job": {"urls": ["http://a/", "x"]}}, ["job", "urls", 1], "absolute URL"),
        ({"job": {**JOB, "config": {"max_page": 5}}}, ["job", "config", "max_page"], "not permitted"),
        ({"job": {**JOB, "selectors": {"t": "h1::nope"}}}, ["job", "selectors", "t"], "'t'"),
        (
            {"job": {**JOB, "engine": "scrapy", "config": {"scrapy_settings": {"JOBDIR": "x"}}}},
            ["job", "config", "scrapy_settings", "JOBDIR"],
            "pause and resume",
        ),
    ],
)
def test_what_cannot_be_used_says_where_and_why(running, url, changes, where, words):
    one = f"{url}/{make(running)['id']}"
    before = running.http.get(one).json()
    for answer in (
        running.http.post(url, json={**DAILY, **changes}),
        running.http.patch(one, json=changes),
    ):
        assert answer.status_code == 422
        (problem,) = answer.json()["errors"]
        if changes.get("cron", "") is None and answer.request.method == "PATCH":
            assert "cron cannot be null" in problem["msg"]
            continue
        assert problem["loc"][: len(where) + 1] == ["body", *where]
        assert words in problem["msg"]
    assert running.http.get(one).json() == before


def test_H28_anothers_schedule_is_not_there(running, url, stranger):
    one = f"{url}/{make(running, enabled=False)['id']}"

    for answer in (
        stranger.get(one),
        stranger.patch(one, json={"name": "mine"}),
        stranger.post(f"{one}/run"),
        stranger.delete(one),
    ):
        assert (answer.status_code, answer.json()) == (404, {"detail": "Schedule not found"})
    assert running.http.get(one).json()["last_job_id"] is None


def test_a_schedule_is_run_by_hand(running, url):
    made = make(running, job={**JOB, "tags": ["by hand"]})

    answer = running.http.post(f"{url}/{made['id']}/run")

    assert answer.status_code == 201
    job = answer.json()
    assert (job["schedule_id"], job["tags"]) == (made["id"], ["by hand"])
    running.finished(job["id"])
    after = running.http.get(f"{url}/{made['id']}").json()
    assert (after["last_job_id"], after["next_run_at"]) == (job["id"], made["next_run_at"])
    assert at(after["last_run_at"]) >= at(job["created_at"])


def test_a_run_by_hand_over_an_unfinished_job_is_a_conflict_unless_allowed(running, url):
    with tree(50) as site:
        slow = {"url": site, "config": {"delay": 60, "max_pages": 9, "follow_links": True}}
        made = make(running, job=slow)
        run = f"{url}/{made['id']}/run"
        first = running.http.post(run).json()

        refused = running.http.post(run)
        running.http.patch(f"{url}/{made['id']}", json={"overlap": "allow"})
        second = running.http.post(run)

        assert (refused.status_code, refused.json()["type"]) == (409, "conflict")
        assert second.status_code == 201
        for job in (first, second.json()):
            running.act(job["id"], "cancel")


def test_a_user_has_so_many_schedules_and_no_more():
    with Service(SCRAPEMASTER_SCHEDULES_PER_USER="2") as service:
        url = f"{service.base}/schedules"
        answers = [service.http.post(url, json=DAILY) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [201, 201, 409]
        assert "2 are allowed" in answers[2].json()["detail"]
        service.http.delete(f"{url}/{answers[0].json()['id']}")
        assert service.http.post(url, json=DAILY).status_code == 201


def test_H46_a_run_missed_while_the_service_was_down_is_made_up_for_once(tmp_path):
    with tree(3) as site, Service(tmp_path) as service:
        job = {"url": site, "selectors": {"n": "p.n::text"}, "tags": ["missed"]}
        made = make(service, cron="0 * * * *", overlap="allow", job=job)
        service.stop()
        with sqlite3.connect(tmp_path / "scrapemaster.db") as database:
            database.execute("UPDATE schedules SET next_run_at = ?", (time.time() - 5 * 86_400,))
        database.close()

        service.start()
        end = time.monotonic() + 60
        while not service.http.get(f"{service.base}/jobs", params={"tag": "missed"}).json():
            assert time.monotonic() < end

        (ran,) = service.http.get(f"{service.base}/jobs", params={"tag": "missed"}).json()
        done = service.finished(ran["id"])
        assert (done["status"], done["schedule_id"], done["items_scraped"]) == ("completed", made["id"], 1)
        after = service.http.get(f"{service.base}/schedules/{made['id']}").json()
        assert at(after["next_run_at"]) > datetime.now(UTC)
        assert after["last_job_id"] == ran["id"]
        log = service.http.get(f"{service.base}/jobs/{ran['id']}/log").json()
        assert log[0]["message"] == f"created by schedule {made['id']}"


def test_routes_of_schedules_want_a_token(running, url):
    for method, path in (
        ("get", ""),
        ("post", ""),
        ("get", "/x"),
        ("patch", "/x"),
        ("delete", "/x"),
        ("post", "/x/run"),
    ):
        assert requests.request(method, url + path, json={}).status_code == 401
