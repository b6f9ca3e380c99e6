"""Orders sent twice, and failed pages fetched again, through a real service."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from moody import moody_site

ORDER = {"url": "http://127.0.0.1:9/", "tags": ["once"]}


def order(service, key, body=ORDER, session=None):
    return (session or service.http).post(
        f"{service.base}/jobs", json=body, headers={"Idempotency-Key": key}, timeout=60
    )


def act(service, job, verb):
    return service.http.post(f"{service.base}/jobs/{job['id']}/{verb}", timeout=30)


def test_an_order_sent_twice_with_one_key_makes_one_job(running):
    first, second = order(running, "twice"), order(running, "twice")

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    assert order(running, "another").status_code == 201
    assert running.http.post(f"{running.base}/jobs", json=ORDER).json()["id"] != first.json()["id"]


def test_bodies_are_the_same_when_they_mean_the_same(running):
    body = {"url": "http://127.0.0.1:9/", "config": {"delay": 1, "max_pages": 2}}
    spelt = '{"config": {"max_pages":2,"delay":1.0}, "url": "http:\\/\\/127.0.0.1:9/"}'

    first = order(running, "spelling", body)
    second = running.http.post(
        f"{running.base}/jobs",
        data=spelt,
        headers={"Idempotency-Key": "spelling", "Content-Type": "application/json"},
    )

    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])


def test_another_body_under_the_same_key_is_a_conflict(running):
    order(running, "other")

    answer = order(running, "other", {**ORDER, "priority": "high"})

    assert (answer.status_code, answer.json()["type"]) == (409, "conflict")
    assert "used for another order" in answer.json()["detail"]


def test_fifty_orders_at_once_with_one_key_make_one_job(running):
    body = {**ORDER, "tags": ["fifty"]}
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: order(running, "fifty", body), range(50)))

    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    listed = running.http.get(f"{running.base}/jobs", params={"tag": "fifty"})
    assert listed.headers["X-Total-Count"] == "1"


def test_keys_are_each_users_own(running, stranger):
    mine, theirs = order(running, "shared"), order(running, "shared", session=stranger)

    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine.json()["id"]


@pytest.mark.parametrize(
    ("key", "status"),
    [("a", 201), ("~" * 255, 201), ("a b", 201), ("", 422), ("x" * 256, 422), ("é", 422), ("a\tb", 422)],
)
def test_a_key_is_1_to_255_printable_ascii_characters(running, key, status):
    answer = order(running, key.encode("utf-8"))

    assert answer.status_code == status
    if status == 422:
        assert answer.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_an_order_that_cannot_be_used_does_not_spend_its_key(running):
    assert order(running, "spent", {"url": "file:///"}).status_code == 422
    assert order(running, "spent").status_code == 201


def test_a_key_whose_job_was_deleted_makes_no_other(running):
    job = order(running, "deleted").json()
    running.finished(job["id"])
    running.http.delete(f"{running.base}/jobs/{job['id']}").raise_for_status()

    answer = order(running, "deleted")

    assert answer.status_code == 409
    assert job["id"] in answer.json()["detail"]


def test_retrying_a_job_that_is_over_makes_a_job_of_its_failed_pages(running):
    with moody_site(6) as site:
        site.broken = {2, 4}
        old = running.create(
            url=f"{site.url}/0",
            name="moods",
            tags=["m"],
            selectors={"n": "p.n::text"},
            config={"follow_links": True, "max_depth": 1, "max_pages": 50},
        )
        old = running.finished(old["id"])
        assert (old["pages_fetched"], old["pages_failed"]) == (4, 2)
        site.broken, before = set(), site.hits.copy()

        answer = act(running, old, "retry")
        new = running.finished(answer.json()["id"])

        assert answer.status_code == 200
        assert new["id"] != old["id"]
        assert (new["retry_of"], new["name"], new["tags"], new["config"]) == (
            old["id"],
            "moods",
            ["m"],
            old["config"],
        )
        assert (new["status"], new["pages_discovered"], new["pages_fetched"]) == ("completed", 2, 2)
        assert sorted(row["data"]["n"] for row in running.rows(new["id"])) == ["2", "4"]
        assert site.hits - before == {2: 1, 4: 1}
        assert running.job(old["id"]) == old


def test_retrying_a_job_that_runs_puts_its_failed_pages_back(running):
    with moody_site(4) as site:
        site.broken = {1}
        job = running.create(
            urls=[f"{site.url}/1", f"{site.url}/2", f"{site.url}/3"],
            selectors={"n": "p.n::text"},
            config={"concurrency": 1, "delay": 1.5, "respect_robots": False},
        )
        while not running.job(job["id"])["pages_failed"]:
            pass
        act(running, job, "pause").raise_for_status()
        site.broken = set()

        answer = act(running, job, "retry")
        paused = answer.json()
        act(running, job, "resume").raise_for_status()
        done = running.finished(job["id"])

        assert (answer.status_code, paused["id"], paused["status"]) == (200, job["id"], "paused")
        assert paused["pages_failed"] == 0
        assert (done["status"], done["pages_fetched"], done["pages_failed"]) == ("completed", 3, 0)
        assert sorted(row["data"]["n"] for row in running.rows(job["id"])) == ["1", "2", "3"]
        assert running.errors(job["id"]) == []


def test_a_job_without_a_failed_page_has_nothing_to_retry(running, stranger):
    with moody_site(1) as site:
        job = running.finished(running.create(url=f"{site.url}/0")["id"])

    answer = act(running, job, "retry")

    assert (answer.status_code, answer.json()["type"]) == (409, "conflict")
    assert "no failed page" in answer.json()["detail"]
    theirs = stranger.post(f"{running.base}/jobs/{job['id']}/retry")
    assert (theirs.status_code, theirs.json()) == (404, {"detail": "Job not found"})


@pytest.mark.parametrize("broken", [set(), {0}], ids=["fetched", "failed"])
def test_a_job_tells_what_it_cost(running, broken):
    with moody_site(3) as site:
        site.delay, site.broken = 0.1, broken
        job = running.finished(running.create(url=f"{site.url}/0", config={"respect_robots": False})["id"])

    assert job["cost"]["bytes"] == job["bytes_downloaded"]
    assert (job["cost"]["bytes"] > 0) == (not broken)
    assert 0.1 <= job["cost"]["seconds"] < 60
