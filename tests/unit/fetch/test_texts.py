"""robots.txt, sitemaps, Retry-After and backoff: pure functions of what servers send."""

import gzip
import random
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.fetch.backoff import retry_delay
from scrapemaster.fetch.robots import parse_rules
from scrapemaster.fetch.sitemap import parse_sitemap
from scrapemaster.fetch.status import parse_retry_after


def allowed(robots, url="http://site/a/b?c"):
    try:
        parse_rules(robots.encode()).check(url)
    except GiveUpPage:
        return False
    return True


@pytest.mark.parametrize(
    ("robots", "expected"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow:", True),
        ("user-agent: scrapemaster\ndisallow: /a", False),
        ("User-agent: ScrapeMaster\nAllow: /\nUser-agent: *\nDisallow: /", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", True),
        ("User-agent: *\nDisallow: /*?c$", False),
        ("User-agent: *\nDisallow: /*?d", True),
        ("User-agent: *\nDisallow: /%61", False),
        ("User-agent: other\nUser-agent: ScrapeMaster\nDisallow: /", False),
        ("Disallow: /", True),
        ("\ufeffUser-agent: *\r\nDisallow: /\r\n", False),
        ("<html><body>User-agent: *\nDisallow: /</body></html>", True),
    ],
)
def test_H23_rules_are_read_as_rfc_9309_has_them(robots, expected):
    assert allowed(robots) is expected


def test_crawl_delay_is_read_and_bounded():
    assert parse_rules(b"User-agent: *\nCrawl-delay: 2.5").delay == 2.5
    assert parse_rules(b"User-agent: *\nCrawl-delay: 86400").delay == 60.0
    assert parse_rules(b"User-agent: *\nCrawl-delay: -1").delay == 0.0


@given(st.binary(max_size=400))
def test_no_bytes_break_the_readers(data):
    parse_rules(data)
    parse_sitemap(data)


def test_H18_entities_in_sitemaps_are_not_expanded():
    body = b'<?xml version="1.0"?><!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY a "aaaa">]><urlset><url><loc>&x;&a;</loc></url></urlset>'

    assert b"root:" not in str(parse_sitemap(body)).encode()
    assert parse_sitemap(body).pages in ([], [""])


def test_sitemaps_come_as_xml_text_and_packed():
    xml = b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>http://s/a</loc></url></urlset>"

    assert parse_sitemap(xml).pages == ["http://s/a"]
    assert parse_sitemap(gzip.compress(xml)).pages == ["http://s/a"]
    assert parse_sitemap(b"http://s/a\n\nhttp://s/b\nnot a url").pages == ["http://s/a", "http://s/b"]
    assert parse_sitemap(gzip.compress(xml)[:-9]).pages in ([], ["http://s/a"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        ("99999", 3_600.0),
        ("1.5", None),
        ("x", None),
        ("٣", None),
    ],
)
def test_H15_retry_after_in_seconds(value, expected):
    assert parse_retry_after(value, 1_000.0) == expected


def test_H15_retry_after_as_a_date():
    assert parse_retry_after(formatdate(1_060, usegmt=True), 1_000.0) == 60.0
    assert parse_retry_after(formatdate(10, usegmt=True), 1_000.0) == 0.0
    assert parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", 1_000.0) == 3_600.0


@given(st.integers(0, 100), st.integers(0, 2**32))
def test_waits_grow_and_are_bounded(attempts, seed):
    wait = retry_delay(attempts, None, random.Random(seed))
    assert 0.5 * min(60.0, 2.0 ** min(attempts, 16)) <= wait <= 60.0
    assert 30 <= retry_delay(attempts, 30.0, random.Random(seed)) <= 31
