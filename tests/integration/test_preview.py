"""Trying selectors: what it shows, and that it harms nobody."""

import threading
import time

import pytest
import requests
from benchmarks.service import Service
from test_content import ENDLESS, running_site

from labelled.pages import CARDS, ITEM, ITEMS, half_filled, plain, shell_lists
from labelled.server import served


@pytest.fixture(scope="module")
def site():
    with running_site() as running:
        yield running


@pytest.fixture(scope="module")
def service():
    with Service(SCRAPEMASTER_EXTRACT_SECONDS="3") as running:
        yield running


def post(service, **body):
    return service.http.post(f"{service.base}/extract/preview", json=body, timeout=60)


def preview(service, **body):
    answer = post(service, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_preview_shows_items_matches_and_fill_and_stores_nothing(service, site):
    jobs = service.http.get(f"{service.base}/jobs").headers["X-Total-Count"]

    shown = preview(
        service,
        url=site.url("/list?full=2&bare=1"),
        selectors={
            "name": "h2::text",
            "in": {"selector": "div", "many": True, "fields": {"price": "b::text"}},
        },
        config={"item": "article", "respect_robots": False},
    )

    assert shown["items"][0] == {"name": "Item 0", "in": [{"price": "5"}]}
    assert (shown["items_total"], shown["status"], shown["engine"], shown["error"]) == (3, 200, "http", None)
    assert shown["matches"] == {
        "config.item": {"count": 3, "first": shown["matches"]["config.item"]["first"]},
        "name": {"count": 3, "first": ["Item 0", "Item 1", "Item 2"]},
        "in": {"count": 3, "first": shown["matches"]["in"]["first"]},
        "in.price": {"count": 2, "first": ["5", "5"]},
    }
    assert shown["fill"]["in.price"] == {"filled": 2, "rate": 0.6667}
    assert shown["url"] == site.url("/list?full=2&bare=1")
    assert service.http.get(f"{service.base}/jobs").headers["X-Total-Count"] == jobs


def test_with_auto_a_preview_and_a_look_show_what_a_browser_would_where_that_pays(service):
    with served([plain(), half_filled("react"), shell_lists("svelte")]) as (static, half, shell):
        for one, path, selectors, config, engine, why, items in (
            (static, "/item/1", ITEM, {}, "http", "no_scripts", 1),
            (half, "/item/1", ITEM, {}, "browser", "fields_empty", 1),
            (shell, "/list/0", CARDS, {"item": "article.card"}, "browser", "script_shell", 5),
        ):
            shown = preview(service, url=one.url(path), selectors=selectors, config=config)
            assert (shown["engine"], shown["engine_reason"], shown["items_total"]) == (engine, why, items)
            assert shown["error"] is None

        body = {"url": shell.url("/list/0")}
        look = service.http.post(f"{service.base}/extract/page", json=body, timeout=60).json()

    assert look["engine"] == "browser"
    assert ITEMS[0]["name"] in look["html"]


def test_html_that_is_sent_is_taken_as_the_page_with_the_url_as_its_base(service):
    shown = preview(
        service,
        html="<h1>Ü</h1><a href='x'>",
        url="https://example.com/shop/",
        selectors={"t": "h1::text", "u": {"selector": "a::attr(href)", "transform": "url"}},
    )

    assert shown["items"] == [{"t": "Ü", "u": "https://example.com/shop/x"}]
    assert (shown["status"], shown["engine"], shown["timing"]["fetch"]) == (None, None, 0)
    assert preview(service, html='{"a": 1}', selectors={"a": "$.a"})["items"] == [{"a": 1}]
    assert preview(service, html="<p>x", selectors={"p": "p"})["url"] == "http://preview.invalid/"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/missing", "http_404"), ("/challenge", "challenge"), ("/pdf", "not_html"), ("/shell", "script_shell")],
)
def test_a_page_that_cannot_be_had_is_an_error_in_the_answer(service, site, path, reason):
    shown = preview(
        service, url=site.url(path), selectors={"a": "h1.none::text"}, config={"respect_robots": False}
    )

    assert shown["error"]["reason"] == reason
    assert shown["error"]["detail"]


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/", "http://10.0.0.1/", "http://[::1]/", "http://127.0.0.1:22/"]
)
def test_H06_a_preview_goes_nowhere_that_a_job_may_not_go(service, url):
    assert preview(service, url=url)["error"]["reason"] == "egress_denied"


def test_H06_a_preview_obeys_robots_and_the_body_limit(service, site):
    site.robots = b"User-agent: *\nDisallow: /page"
    try:
        shown = preview(service, url=site.url("/page"), config={"user_agent": "Preview/1"})
        assert shown["error"]["reason"] == "robots_denied"
    finally:
        site.robots = None
    big = preview(service, url=site.url("/long"), config={"respect_robots": False, "max_body_bytes": 10_000})
    assert big["error"]["reason"] == "body_too_large"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, None),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"html": "<p>", "selectors": {"a": "p["}}, "a"),
        ({"html": "<p>", "selectors": {"a": "//a" + "[//a" * 30 + "]" * 30}}, "a"),
        ({"html": "<p>", "config": {"max_pagez": 1}}, "max_pagez"),
        ({"html": "<p>" * 1_000, "config": {"max_body_bytes": 1_024}}, "html"),
    ],
)
def test_what_no_job_could_be_made_of_is_refused_as_for_jobs(service, body, where):
    answer = post(service, **body)

    assert answer.status_code == 422
    assert where is None or where in answer.json()["errors"][0]["loc"]


def test_a_preview_wants_a_caller(service):
    assert (
        requests.post(f"{service.base}/extract/preview", json={"html": "<p>"}, timeout=10).status_code == 401
    )


def test_H26_an_endless_selector_in_a_preview_ends_and_does_not_stall_the_api(service):
    shown = {}
    nested = "<div><p class=x>t</p>" * 1_900
    thread = threading.Thread(
        target=lambda: shown.update(
            requests.post(
                f"{service.base}/extract/preview",
                json={"html": nested, "selectors": {"x": ENDLESS}},
                headers=dict(service.http.headers),
                timeout=60,
            ).json()
        )
    )
    thread.start()
    answers = 0
    while thread.is_alive():
        assert service.http.get(f"{service.base}/jobs", timeout=2).status_code == 200
        answers += 1
        time.sleep(0.1)

    assert shown["error"]["reason"] == "extract_timeout"
    assert answers > 5
    assert preview(service, html="<p>x", selectors={"p": "p::text"})["items"] == [{"p": "x"}]


def test_a_preview_of_very_much_is_bounded(service):
    shown = preview(
        service,
        html="<li>" + "x" * 3_000 + "</li><li>y</li>" * 500,
        selectors={"l": "./text()"},
        config={"item": "li"},
    )

    assert shown["items_total"] == 501
    assert len(shown["items"]) == 100
    assert all(len(text) <= 500 for text in shown["matches"]["l"]["first"])
