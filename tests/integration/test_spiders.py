"""Spiders of uploaded projects, run by a real service."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from benchmarks.service import Service
from benchmarks.tree import tree
from small_site import small_site

from scrapemaster.demo.catalogue import PRODUCTS
from scrapemaster.demo.server import answer as shop_answer
from servers.spiders import upload
from servers.stores import ALSO_MONGO, settings_for

PAGES = 40
CATEGORIES = {one.category for one in PRODUCTS}


@pytest.fixture(scope="module", params=ALSO_MONGO)
def service(request):
    with (
        settings_for(request.param) as settings,
        Service(SCRAPEMASTER_SPIDER_PLACES="16", SCRAPEMASTER_SPIDER_STOP_SECONDS="3", **settings) as running,
    ):
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(
                lambda name: upload(running, name), ("rules", "loaders", "modern", "walker")
            ):
                assert answer.status_code == 201, answer.text
        yield running


@pytest.fixture(scope="module")
def site():
    with tree(PAGES) as url:
        yield url


@pytest.fixture(scope="module")
def shop():
    with small_site(shop_answer) as url:
        yield url


@pytest.fixture(scope="module")
def jobs(service, site, shop):
    """One job of each spider, all at once."""
    nowhere = site.replace("/t/0", "/missing")
    orders = {
        "rules": {"spider": "products", "spider_args": {"site": shop}},
        "loaders": {"spider": "loaded", "spider_args": {"site": shop}},
        "modern": {"spider": "cheap", "spider_args": {"site": shop, "pages": "3"}},
        "dropping": {
            "spider": "products",
            "spider_args": {"site": shop},
            "project": "rules",
            "version": "1",
            "config": {"max_pages": 7, "scrapy_settings": {"ROBOTSTXT_OBEY": False}},
        },
        "quitter": {"spider": "quitter", "spider_args": {"start": site}},
        "stumbling": {"spider": "stumbling", "spider_args": {"start": site}},
        "late": {"spider": "late"},
        "wanting": {"spider": "wanting"},
        "posting": {"spider": "posting", "spider_args": {"start": site}},
        "blocked": {
            "spider": "blocked",
            "spider_args": {"urls": f"http://169.254.169.254/latest/ {nowhere} https://127.0.0.1:1/ {site}"},
        },
        "nowhere": {"spider": "blocked", "spider_args": {"urls": nowhere}},
    }
    created = {name: service.create(engine="scrapy", **order) for name, order in orders.items()}
    return {name: service.finished(job["id"]) for name, job in created.items()}


def data_of(service, job):
    return [row["data"] for row in service.rows(job["id"])]


def test_a_crawl_spider_with_rules_runs_with_its_settings_pipelines_and_middlewares(service, jobs, shop):
    job = jobs["rules"]
    rows = data_of(service, job)

    assert (job["status"], job["stop_reason"], job["progress"]) == ("completed", "finished", 100)
    assert (job["engine"], job["engine_used"], job["project"], job["version"]) == (
        "scrapy",
        "scrapy",
        "rules",
        "1",
    )
    assert sorted(row["name"] for row in rows) == sorted(one.name for one in PRODUCTS)
    assert {row["price"] for row in rows} == {f"{one.price / 100:.2f}" for one in PRODUCTS}
    assert {(row["stamp"], row["source"]) for row in rows} == {("stamped", "middleware")}
    assert job["pages_failed"] == 0
    assert job["pages_fetched"] == job["pages_discovered"] >= len(PRODUCTS) + len(CATEGORIES)
    lines = service.http.get(f"{service.base}/jobs/{job['id']}/log").json()
    assert any(line["event"] == "spider" and "product http" in line["message"] for line in lines)


def test_item_loaders_with_processors_and_items_of_classes_run_on_another_reactor(service, jobs):
    rows = data_of(service, jobs["loaders"])

    products = [row for row in rows if "cents" in row]
    assert jobs["loaders"]["status"] == "completed"
    assert {row["cents"] for row in products} == {one.price for one in PRODUCTS}
    assert {row["facts"].split(" / ")[0] for row in products} == {one.sku for one in PRODUCTS}
    assert {row["name"] for row in rows if "count" in row} == CATEGORIES


def test_an_async_spider_with_a_start_of_its_own_gives_dicts_and_pydantic_items(service, jobs):
    rows = data_of(service, jobs["modern"])

    assert rows[0] == {"name": "start", "pages": 3}
    assert {row["page"] for row in rows[1:]} == {1, 2, 3}
    assert all(set(row) == {"name", "price", "page"} for row in rows[1:])
    assert jobs["modern"]["spider_args"]["pages"] == "3"


def test_a_spider_sends_no_more_requests_than_max_pages(jobs):
    job = jobs["dropping"]

    assert (job["status"], job["stop_reason"], job["config"]["max_pages"]) == ("completed", "max_pages", 7)
    assert job["pages_fetched"] <= 7
    assert job["config"]["scrapy_settings"] == {"ROBOTSTXT_OBEY": False}


def test_a_spider_that_closes_itself_says_why(jobs):
    assert jobs["quitter"]["status"] == "completed"
    assert jobs["quitter"]["warnings"][0] == "the spider closed itself, and says why: bored"


def test_callbacks_that_raise_are_told_of_and_keep_what_they_yielded(service, jobs):
    job, errors = jobs["stumbling"], service.errors(jobs["stumbling"]["id"])

    numbers = {row["n"] for row in data_of(service, job)}
    assert job["status"] == "completed"
    assert {number % 3 for number in numbers} == {0, 2}
    assert {error["reason"] for error in errors} == {"spider_error"}
    assert {error["detail"].split(":")[0] for error in errors} == {"ValueError", "KeyError"}
    assert len([error for error in errors if "KeyError" in error["detail"]]) == len(
        [number for number in numbers if number % 3 == 2]
    )


def test_a_spider_whose_start_breaks_off_has_failed_with_what_it_had(service, jobs):
    job = jobs["late"]

    assert (job["status"], job["stop_reason"]) == ("failed", "internal_error")
    assert job["error"] == "its start() raised RuntimeError: no list of pages"
    assert data_of(service, job) == [{"n": 1}]


def test_a_spider_that_cannot_be_made_has_failed(jobs):
    assert jobs["wanting"]["status"] == "failed"
    assert "the spider could not be run: TypeError" in jobs["wanting"]["error"]


def test_the_same_address_asked_for_many_things_gives_all_of_them(service, jobs):
    assert sorted(row["number"] for row in data_of(service, jobs["posting"])) == [0, 1, 2, 3, 4]


def test_H06_requests_of_spiders_go_through_the_egress_policy(service, jobs):
    reasons = {error["url"]: error["reason"] for error in service.errors(jobs["blocked"]["id"])}

    assert reasons["http://169.254.169.254/latest/"] == "egress_denied"
    assert reasons["https://127.0.0.1:1/"] == "egress_denied"
    assert sorted(reasons.values()) == ["egress_denied", "egress_denied", "http_404"]
    assert [row["status"] for row in data_of(service, jobs["blocked"])] == [200]
    assert (jobs["nowhere"]["status"], jobs["nowhere"]["stop_reason"]) == ("failed", "all_pages_failed")


def test_a_spider_is_paused_goes_on_and_is_cancelled(service, shop):
    with tree(5_000, delay=0.05) as url:
        job = service.create(
            engine="scrapy", spider="walk", spider_args={"start": url}, config={"concurrency": 4}
        )
        _until(service, job, lambda now: now["items_scraped"] > 20)

        service.act(job["id"], "pause")
        time.sleep(1.5)
        paused = service.job(job["id"])
        time.sleep(1.0)
        assert service.job(job["id"])["items_scraped"] == paused["items_scraped"] < 5_000
        assert 0 < paused["progress"] < 100
        service.act(job["id"], "resume")
        _until(service, job, lambda now: now["items_scraped"] > paused["items_scraped"] + 20)

        service.act(job["id"], "cancel")
        cancelled = service.job(job["id"])
        assert (cancelled["status"], cancelled["stop_reason"]) == ("cancelled", "cancelled_by_user")
        numbers = [row["n"] for row in data_of(service, job)]
        assert len(numbers) == len(set(numbers)) == cancelled["items_scraped"]
        assert service.http.post(f"{service.base}/jobs/{job['id']}/retry").status_code == 409


def _until(service, job, enough, seconds=60):
    end = time.monotonic() + seconds
    while not enough(now := service.job(job["id"])):
        assert now["status"] in {"pending", "running"}, now
        assert time.monotonic() < end, now
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"spider": "nobody"}, "no project has a spider 'nobody'"),
        ({"spider": "walk", "project": "rules"}, "has no spider 'walk'; its spiders: products"),
        ({"spider": "walk", "project": "nothing"}, "there is no project 'nothing'"),
        ({"spider": "walk", "project": "walker", "version": "9"}, "has no version '9'"),
        ({"spider": "walk", "version": "1"}, "version says nothing without project"),
        ({"spider": "walk", "url": "http://example.com"}, "a spider says itself where to start"),
        ({"spider": "walk", "engine": "http"}, "a spider runs with engine: scrapy"),
        ({"spider": "walk", "selectors": {"a": "b"}}, "selectors say nothing to a spider"),
        (
            {"spider": "walk", "config": {"follow_links": True}},
            "config.follow_links says nothing to a spider",
        ),
        ({"spider": "walk", "config": {"proxy": "pool"}}, "spiders cannot take proxies of the pool"),
        (
            {"spider": "walk", "config": {"scrapy_settings": {"ITEM_PIPELINES": {"os.system": 1}}}},
            "cannot be given to a spider",
        ),
        (
            {"spider": "walk", "config": {"scrapy_settings": {"USER_AGENT": {"a": 1}}}},
            "must be a text, a number",
        ),
        ({"url": "http://example.com", "spider_args": {"a": "b"}}, "spider_args says nothing without spider"),
    ],
)
def test_orders_that_cannot_be_run_are_refused_with_a_sentence(service, order, says):
    answer = service.http.post(f"{service.base}/jobs", json={"engine": "scrapy", **order})

    assert answer.status_code == 422, answer.text
    assert says in json.dumps(answer.json()["errors"])


def test_schedules_order_spiders(service, site):
    body = {
        "cron": "0 0 1 1 *",
        "job": {"engine": "scrapy", "spider": "walk", "spider_args": {"start": site}},
    }
    answer = service.http.post(f"{service.base}/schedules", json=body)
    unknown = service.http.post(
        f"{service.base}/schedules", json={**body, "job": {"engine": "scrapy", "spider": "nobody"}}
    )

    assert answer.status_code == 201, answer.text
    assert unknown.status_code == 422


def test_users_run_spiders_and_see_projects_but_only_admins_change_them(service, site):
    user = requests.Session()
    credentials = {"username": "runner", "password": "runners password"}
    requests.post(f"{service.base}/auth/register", json=credentials).raise_for_status()
    token = user.post(f"{service.base}/auth/login", json=credentials).json()["access_token"]
    user.headers["Authorization"] = f"Bearer {token}"

    listed = user.get(f"{service.base}/projects").json()
    assert [one["project"] for one in listed] == ["loaders", "modern", "rules", "walker"]
    assert listed[2] == {"project": "rules", "latest": "1", "spiders": ["products"], "versions": ["1"]}
    version = user.get(f"{service.base}/projects/rules/1").json()
    assert (version["settings"], version["spiders"]) == ("shopcrawl.settings", ["products"])
    assert user.get(f"{service.base}/projects/rules").json() == [version]
    assert user.get(f"{service.base}/projects/none").status_code == 404
    assert user.delete(f"{service.base}/projects/rules").status_code == 403
    assert user.delete(f"{service.base}/projects/rules/1").status_code == 403
    files, form = {"file": ("p.zip", b"")}, {"project": "mine", "version": "1"}
    assert user.post(f"{service.base}/projects", data=form, files=files).status_code == 403
    order = {"engine": "scrapy", "spider": "walk", "spider_args": {"start": site}, "config": {"max_pages": 1}}
    created = user.post(f"{service.base}/jobs", json=order)
    assert created.status_code == 201
    assert service.finished(created.json()["id"])["status"] == "completed"


def test_uploads_that_are_no_project_are_refused_and_leave_nothing(service):
    same = upload(service, "rules")
    nothing = upload(service, "new", b"no zip at all")
    broken = upload(service, "new", version="../1")

    assert (same.status_code, nothing.status_code, broken.status_code) == (409, 422, 422)
    assert "cannot be read" in nothing.text
    assert service.http.get(f"{service.base}/projects/new").status_code == 404
