"""Jobs over real proxies, some of which break on purpose."""

import contextlib
import time

import pytest
from benchmarks.service import Service
from guarded import guarded_site

from servers.proxies import dante, tinyproxy

ONE, TWO, THREE = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@pytest.fixture(scope="module")
def running():
    with Service(SCRAPEMASTER_PROXY_REST="1", SCRAPEMASTER_PROXY_WAIT="3") as service:
        yield service


@pytest.fixture
def site():
    with guarded_site() as guarded:
        yield guarded


@pytest.fixture
def pool(running, tmp_path):
    """Starts proxies and puts them into the pool; each comes from an address of its own. All are gone afterwards."""
    added = []

    with contextlib.ExitStack() as stack:

        def start(make, address, **body):
            proxy = stack.enter_context(make(tmp_path, outgoing=address))
            answer = running.http.post(f"{running.base}/proxies", json={"url": proxy.url, **body})
            assert answer.status_code == 201, answer.text
            proxy.id = answer.json()[0]["id"]
            added.append(proxy.id)
            return proxy

        yield start
        for proxy_id in added:
            running.http.delete(f"{running.base}/proxies/{proxy_id}")


def order(site, **config):
    return {
        "url": f"{site.url}/0",
        "selectors": {"path": "p::text"},
        "config": {
            "proxy": "pool", "follow_links": True, "max_pages": site.pages, "max_retries": 0, "timeout": 5, **config
        },
    }  # fmt: skip


def crawl(running, site, **config):
    return running.finished(running.create(**order(site, **config))["id"], 60)


def paths(running, job):
    return sorted(row["data"]["path"] for row in running.rows(job["id"]))


def whole(site):
    return sorted(f"/{number}" for number in range(site.pages))


def shown(running, proxy):
    return running.http.get(f"{running.base}/proxies/{proxy.id}").json()


def soon(running, proxy, condition):
    """The proxy once it is as it should be: crawlers tell how proxies do a second later."""
    end = time.monotonic() + 10
    while not condition(found := shown(running, proxy)) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_a_job_comes_by_its_proxies_alone_http_and_socks_with_credentials(running, site, pool):
    proxies = [pool(tinyproxy, ONE), pool(dante, TWO)]

    job = crawl(running, site)

    assert (job["status"], job["stop_reason"]) == ("completed", "finished")
    assert paths(running, job) == whole(site)
    assert set(site.visits) == {ONE, TWO}
    assert site.strangers == []
    for proxy in proxies:
        assert (shown(running, proxy)["state"], shown(running, proxy)["enabled"]) == ("active", True)
    figures = running.http.get(f"{running.base}/monitoring/proxies").json()
    assert figures == {"total_proxies": 2, "by_status": {"active": {"count": 2, "avg_success_rate": 100.0}}}


def test_cheap_proxies_go_first_and_a_tag_chooses(running, site, pool):
    pool(tinyproxy, ONE, tier=1, tags=["home"])
    pool(tinyproxy, TWO)

    crawl(running, site)
    assert set(site.visits) == {TWO}
    site.visits.clear()

    crawl(running, site, proxy="pool:home")
    assert set(site.visits) == {ONE}


@pytest.mark.parametrize("mood", ["403", "429", "challenge", "503", "empty"])
def test_who_is_turned_away_rests_and_no_page_pays_for_it(running, site, pool, mood):
    banned = pool(tinyproxy, ONE)
    pool(dante, TWO)
    site.turned_away[ONE] = mood

    job = crawl(running, site)

    assert (job["status"], job["pages_failed"]) == ("completed", 0)
    assert paths(running, job) == whole(site)
    assert set(site.visits) == {TWO}
    assert 1 <= site.refused[ONE] <= site.pages
    assert soon(running, banned, lambda proxy: proxy["success_rate"] < 100)["success_rate"] < 100


def test_a_page_that_is_forbidden_to_all_is_the_pages_own_matter(running, site, pool):
    proxies = [pool(tinyproxy, ONE), pool(dante, TWO)]
    site.forbidden = {"7"}

    job = crawl(running, site)

    assert job["pages_failed"] == 1
    assert [(page["reason"], page["attempts"]) for page in running.errors(job["id"])] == [("http_403", 1)]
    assert len(paths(running, job)) == site.pages - 1
    assert [shown(running, proxy)["rests"] for proxy in proxies] == [{}, {}]


def test_a_proxy_killed_in_the_middle_costs_no_page(running, site, pool):
    killed, _ = pool(tinyproxy, ONE), pool(dante, TWO)
    site.pages = 300

    job = running.create(**order(site))
    assert site.visited.wait(20)
    killed.kill()
    job = running.finished(job["id"], 60)

    assert (job["status"], job["pages_failed"]) == ("completed", 0)
    assert paths(running, job) == whole(site)
    assert running.http.post(f"{running.base}/proxies/{killed.id}/check").json()["ok"] is False
    assert shown(running, killed)["state"] == "cooldown"


def test_a_frozen_proxy_costs_no_page(running, site, pool):
    frozen, _ = pool(tinyproxy, ONE), pool(dante, TWO)
    frozen.freeze()

    job = crawl(running, site, timeout=1, respect_robots=False)

    assert (job["status"], job["pages_failed"]) == ("completed", 0)
    assert paths(running, job) == whole(site)
    assert set(site.visits) == {TWO}


def test_a_job_whose_proxies_are_all_banned_waits_for_them(running, site, pool):
    pool(tinyproxy, ONE)
    pool(dante, TWO)
    site.mood, site.ban_after = "challenge", 5

    job = running.create(**order(site))
    while not {ONE, TWO} <= set(site.refused):
        assert running.job(job["id"])["status"] not in {"completed", "failed"}
    site.ban_after = None
    job = running.finished(job["id"], 60)

    assert (job["status"], job["pages_failed"]) == ("completed", 0)
    assert paths(running, job) == whole(site)
    assert any("wait for proxies" in warning and "banned" in warning for warning in job["warnings"])


def test_a_job_whose_proxies_stay_banned_ends_and_says_so(running, site, pool):
    banned = [pool(tinyproxy, ONE), pool(dante, TWO)]
    site.turned_away = {ONE: "challenge", TWO: "challenge"}

    job = crawl(running, site)

    assert (job["status"], job["stop_reason"]) == ("failed", "proxies_exhausted")
    assert "banned" in job["error"]
    (error,) = running.errors(job["id"])
    assert error["reason"] == "proxies_exhausted"
    assert "2 banned there" in error["detail"]
    for proxy in banned:
        assert soon(running, proxy, lambda one: one["state"] == "banned")["state"] == "banned"
    assert set(running.http.get(f"{running.base}/monitoring/proxies").json()["by_status"]) == {"banned"}


def test_a_job_that_lost_its_proxies_half_way_keeps_its_rows_and_says_so(running, site, pool):
    pool(tinyproxy, ONE)
    site.mood, site.ban_after = "challenge", 10

    job = crawl(running, site)

    assert (job["status"], job["stop_reason"]) == ("completed", "proxies_exhausted")
    assert 1 <= len(paths(running, job)) <= 10
    assert {page["reason"] for page in running.errors(job["id"])} == {"proxies_exhausted"}
    assert site.visits["127.0.0.1"] == 0


def test_a_job_whose_proxies_cannot_be_reached_ends_and_says_so(running, site, pool):
    for proxy in (pool(tinyproxy, ONE), pool(dante, TWO)):
        proxy.kill()

    job = crawl(running, site)

    assert (job["status"], job["stop_reason"]) == ("failed", "proxies_exhausted")
    assert "resting" in running.errors(job["id"])[0]["detail"]
    assert site.visits == {}


def test_a_preview_goes_over_the_pool_too(running, site, pool):
    pool(dante, TWO)

    answer = running.http.post(
        f"{running.base}/extract/preview",
        json={"url": f"{site.url}/3", "selectors": {"path": "p::text"}, "config": {"proxy": "pool"}},
    ).json()

    assert answer["items"] == [{"path": "/3"}]
    assert set(site.visits) == {TWO}
