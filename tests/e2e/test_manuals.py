"""Real manuals, served by nginx, crawled through the API: every reachable page exactly once."""

import os
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from benchmarks.manual_server import nginx
from benchmarks.service import Service
from file_walk import reachable_pages

MANUALS = {
    "python3.11-doc": (Path("/usr/share/doc/python3.11/html"), "/index.html"),
    "git-doc": (Path("/usr/share/doc/git/html"), "/index.html"),
    "sqlite3-doc": (Path("/usr/share/doc/sqlite3"), "/index.html"),
}


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.mark.parametrize(
    "package",
    [pytest.param("python3.11-doc", marks=pytest.mark.soak), "git-doc", "sqlite3-doc"],
)
def test_every_page_reachable_by_links_is_crawled_exactly_once(service, package):
    root, start = MANUALS[package]
    if not root.is_dir():
        assert os.environ.get("CI") != "true", f"CI must install {package}"
        pytest.skip(f"{package} is not installed")
    reached, missing = reachable_pages(root.resolve(), start)

    with nginx(root) as base:
        job = service.create(
            url=f"{base}{start}",
            selectors={"title": {"selector": "title::text", "default": "(none)"}, "html": "html::attr(lang)"},
            config={"follow_links": True, "max_pages": 100_000, "concurrency": 16, "max_retries": 0},
        )
        job = service.finished(job["id"], 300)
        rows = Counter(unquote(urlsplit(row["url"]).path) for row in service.rows(job["id"]))
        errors = service.errors(job["id"])

    failed = {unquote(urlsplit(error["url"]).path): error["reason"] for error in errors}
    assert job["status"] == "completed"
    assert set(rows) == reached
    assert set(rows.values()) == {1}
    assert job["items_scraped"] == len(reached)
    assert {path for path, reason in failed.items() if reason == "http_404"} == missing
    assert set(failed.values()) <= {"http_404", "http_403", "not_html", "duplicate"}
