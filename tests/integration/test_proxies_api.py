"""The pool through a real service, with real proxies."""

import time

import pytest
import requests
from benchmarks.service import Service

from servers.proxies import dante, tinyproxy


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("service") / "log"


@pytest.fixture(scope="module")
def running(log):
    with Service(log=log, SCRAPEMASTER_LOG_LEVEL="debug") as service:
        yield service


@pytest.fixture
def url(running):
    proxies = f"{running.base}/proxies"
    yield proxies
    for proxy in running.http.get(proxies, params={"limit": 100}).json():
        running.http.delete(f"{proxies}/{proxy['id']}")


def add(running, **body):
    answer = running.http.post(f"{running.base}/proxies", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_proxy_is_added_shown_changed_and_removed(running, url):
    (made,) = add(running, url="http://ada:s3cret@127.0.0.1:3128", tier=1, tags=["home", "home"])

    assert set(made) == {
        "id", "url", "tier", "tags", "enabled", "state", "success_rate", "latency", "hosts", "hosts_banned", "resting_until",
        "created_at",
    }  # fmt: skip
    assert (made["url"], made["tier"], made["tags"]) == ("http://***@127.0.0.1:3128", 1, ["home"])
    assert (made["state"], made["success_rate"], made["latency"]) == ("active", 100.0, None)
    one = f"{url}/{made['id']}"
    assert running.http.get(one).json() == {**made, "rests": {}}
    changed = running.http.patch(one, json={"url": "http://ada:new-s3cret@127.0.0.1:3128", "enabled": False})
    assert changed.status_code == 200
    assert (changed.json()["enabled"], changed.json()["tier"]) == (False, 1)
    assert running.http.delete(one).status_code == 204
    for answer in (
        running.http.get(one),
        running.http.delete(one),
        running.http.patch(one, json={}),
        running.http.post(f"{one}/check"),
    ):
        assert (answer.status_code, answer.json()) == (404, {"detail": "Proxy not found"})


def test_many_are_added_at_once_and_listed_by_tag_and_state(running, url):
    add(running, urls=[f"socks5://127.0.0.1:{port}" for port in (1081, 1082, 1083)], tags=["a"])
    add(running, url="https://127.0.0.1:3129", tags=["b"])

    answer = running.http.get(url, params={"tag": "a", "limit": 2})

    assert [one["url"] for one in answer.json()] == ["socks5://127.0.0.1:1081", "socks5://127.0.0.1:1082"]
    assert answer.headers["X-Total-Count"] == "3"
    assert 'rel="next"' in answer.headers["Link"]
    assert len(running.http.get(url, params={"state": "active"}).json()) == 4
    assert running.http.get(url, params={"state": "dead"}).json() == []
    assert running.http.get(url, params={"state": "odd"}).status_code == 422
    assert running.http.get(f"{running.base}/monitoring/proxies").json() == {
        "total_proxies": 4,
        "by_status": {"active": {"count": 4, "avg_success_rate": 100.0}},
    }


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ({}, [], "either url or urls"),
        ({"url": "http://s3cret@127.0.0.1"}, ["url"], "with a port"),
        ({"urls": ["http://127.0.0.1:1", "ftp://s3cret@127.0.0.1:1"]}, ["urls", 1], "with a port"),
        ({"url": "http://\ud800:s3cret@127.0.0.1:1"}, ["url"], "valid string"),
        ({"url": "http://ada:s3cret@10.1.2.3:3128"}, ["url"], "SCRAPEMASTER_EGRESS_ALLOW"),
        ({"url": "http://ada:s3cret@169.254.169.254:80"}, ["url"], "link-local"),
        ({"url": "http://ada:s3cret@127.0.0.1:6379"}, ["url"], "port 6379"),
        ({"url": "http://metadata.google.internal:80"}, ["url"], "metadata"),
        ({"url": "http://127.0.0.1:3128", "tier": -1}, ["tier"], "greater than"),
        ({"url": "http://127.0.0.1:3128", "teir": 1}, ["teir"], "not permitted"),
    ],
)
def test_H06_what_is_no_proxy_or_may_not_be_reached_is_refused_in_a_sentence(
    running, url, body, where, words
):
    answer = running.http.post(url, json=body)

    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["errors"]
    assert problem["loc"] == ["body", *where]
    assert words in problem["msg"]
    assert "s3cret" not in answer.text
    assert running.http.get(url).json() == []


def test_one_that_is_there_already_is_a_conflict_and_none_is_added(running, url):
    add(running, url="http://ada:s3cret@127.0.0.1:3128")

    answer = running.http.post(
        url, json={"urls": ["http://127.0.0.1:3129", "http://ada:other@127.0.0.1:3128"]}
    )

    assert answer.status_code == 409
    assert "http://***@127.0.0.1:3128" in answer.json()["detail"]
    assert len(running.http.get(url).json()) == 1
    (other,) = add(running, url="http://bob:s3cret@127.0.0.1:3128")
    changed = running.http.patch(f"{url}/{other['id']}", json={"url": "http://ada:x@127.0.0.1:3128"})
    assert changed.status_code == 409


def test_H28_users_see_figures_and_nothing_else(running, url, stranger):
    (made,) = add(running, url="http://127.0.0.1:3128")

    for answer in (
        stranger.get(url),
        stranger.post(url, json={"url": "http://127.0.0.1:3129"}),
        stranger.get(f"{url}/{made['id']}"),
        stranger.patch(f"{url}/{made['id']}", json={"tier": 2}),
        stranger.delete(f"{url}/{made['id']}"),
        stranger.post(f"{url}/{made['id']}/check"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "forbidden")
    assert requests.get(url, timeout=10).status_code == 401
    assert stranger.get(f"{running.base}/monitoring/proxies").json()["total_proxies"] == 1


def test_a_check_speaks_to_real_proxies_and_finds_wrong_credentials(running, url, tmp_path):
    with tinyproxy(tmp_path) as http, dante(tmp_path) as socks:
        wrong = http.url.replace("s3cret", "wr0ng")
        good, other, bad = (
            add(running, url=one)[0]["id"] for one in (http.url, socks.url, wrong.replace("ada", "eve"))
        )

        checks = {name: running.http.post(f"{url}/{name}/check").json() for name in (good, other, bad)}
        page = running.http.post(f"{url}/{other}/check", json={"url": f"{running.base}/auth/me"}).json()
        denied = running.http.post(f"{url}/{other}/check", json={"url": "http://10.1.2.3/"}).json()

    assert [checks[name]["ok"] for name in (good, other, bad)] == [True, True, False]
    assert "refuses the credentials" in checks[bad]["detail"]
    assert checks[bad]["proxy"]["state"] == "cooldown"
    assert checks[bad]["proxy"]["resting_until"] is not None
    assert (page["ok"], page["status"], page["proxy"]["hosts"]) == (True, 401, 1)
    assert not denied["ok"]
    assert "egress_denied" in denied["detail"]


def test_a_proxy_that_is_gone_rests_and_a_check_that_goes_well_brings_it_back(running, url, tmp_path):
    with tinyproxy(tmp_path) as proxy:
        (made,) = add(running, url=proxy.url)
        proxy.kill()
        gone = running.http.post(f"{url}/{made['id']}/check").json()
        figures = running.http.get(f"{running.base}/monitoring/proxies").json()
    with tinyproxy(tmp_path, port=proxy.port):
        back = running.http.post(f"{url}/{made['id']}/check").json()

    assert (gone["ok"], gone["proxy"]["state"]) == (False, "cooldown")
    assert figures == {"total_proxies": 1, "by_status": {"cooldown": {"count": 1, "avg_success_rate": 0.0}}}
    assert (back["ok"], back["proxy"]["state"]) == (True, "active")
    assert 0 < back["proxy"]["success_rate"] < 100


def test_an_order_for_an_empty_pool_is_refused_and_says_what_to_do(running, url):
    order = {"url": "http://127.0.0.1:9/", "config": {"proxy": "pool"}}
    schedule = {"cron": "0 0 1 1 *", "job": order}
    preview = {"url": "http://127.0.0.1:9/", "config": {"proxy": "pool"}}

    for path, body, where in (
        ("jobs", order, ["config", "proxy"]),
        ("schedules", schedule, ["job", "config", "proxy"]),
        ("extract/preview", preview, ["config", "proxy"]),
    ):
        answer = running.http.post(f"{running.base}/{path}", json=body)
        assert answer.status_code == 422, path
        assert answer.json()["errors"][0]["loc"] == ["body", *where]
        assert "POST /api/v1/proxies" in answer.json()["errors"][0]["msg"]
    add(running, url="http://127.0.0.1:3128", tags=["home"])
    tagged = running.http.post(f"{running.base}/jobs", json={**order, "config": {"proxy": "pool:away"}})
    assert "the tag 'away'" in tagged.json()["errors"][0]["msg"]
    made = running.http.post(f"{running.base}/jobs", json={**order, "config": {"proxy": "pool:home"}})
    assert made.status_code == 201
    running.http.delete(f"{running.base}/jobs/{made.json()['id']}")


def test_H36_credentials_are_in_no_answer_and_no_log(running, url, log):
    (made,) = add(running, url="http://us3r:s3cret-of-the-log@127.0.0.1:3131")
    texts = [
        running.http.get(url).text,
        running.http.get(f"{url}/{made['id']}").text,
        running.http.post(f"{url}/{made['id']}/check").text,
        running.http.post(url, json={"url": "http://us3r:s3cret-of-the-log@127.0.0.1:3131"}).text,
        running.http.patch(f"{url}/{made['id']}", json={"tier": 1}).text,
    ]
    job = running.create(
        url="http://127.0.0.1:9/", config={"proxy": "pool", "max_retries": 0, "respect_robots": False}
    )
    for _ in range(20):
        texts.append(running.http.get(f"{running.base}/jobs/{job['id']}/errors").text)
        time.sleep(0.1)
    texts.append(log.read_text())

    assert not [text for text in texts if "s3cret-of-the-log" in text or "us3r" in text]
