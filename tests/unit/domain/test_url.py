import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidUrl
from scrapemaster.domain.request import FINGERPRINT_BYTES, fingerprint
from scrapemaster.domain.url import MAX_URL_LENGTH, canonical_url, host_of, join_url, origin_of, parse_url

paths = st.text(
    alphabet=string.ascii_letters + string.digits + "/%.~-_?=&;+é ü'\"<>[]{}|\\^`!*()", max_size=60
)
urls = paths.map(lambda path: f"http://example.com/{path}")


@given(urls, st.booleans())
def test_canonicalisation_is_idempotent(text, sort_query):
    url = parse_url(text)

    once = canonical_url(url, sort_query=sort_query)

    assert canonical_url(once, sort_query=sort_query) == once


@given(urls)
def test_parsing_is_idempotent_and_drops_the_fragment(text):
    url = parse_url(f"{text}#part")

    assert parse_url(url) == url
    assert "#" not in url


@given(urls)
def test_a_url_joined_to_any_base_is_itself(text):
    assert join_url("https://other.example/a/b?c", text) == parse_url(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTP://Example.COM:80/a", "http://example.com/a"),
        ("https://example.com:443/", "https://example.com"),
        ("http://example.com/a/../b/./c", "http://example.com/b/c"),
        ("http://example.com/%7euser", "http://example.com/~user"),
        ("http://example.com/%c3%a9", "http://example.com/é"),
        ("http://example.com/a#top", "http://example.com/a"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    ],
)
def test_equal_spellings_have_one_fingerprint(one, other):
    assert fingerprint(parse_url(one)) == fingerprint(parse_url(other))
    assert len(fingerprint(parse_url(one))) == FINGERPRINT_BYTES


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://example.com/a", "https://example.com/a"),
        ("http://example.com/a", "http://example.com/a/"),
        ("http://example.com/a?x=1", "http://example.com/a?x=2"),
        ("http://example.com/a%2Fb", "http://example.com/a/b"),
        ("http://example.com/a?x=1&y=2", "http://example.com/a?y=2&x=1"),
    ],
)
def test_different_pages_have_different_fingerprints(one, other):
    assert fingerprint(parse_url(one)) != fingerprint(parse_url(other))


def test_parameters_in_another_order_are_one_page_when_the_query_is_sorted():
    one, other = "http://example.com/a?x=1&y=2", "http://example.com/a?y=2&x=1"

    assert fingerprint(one, sort_query=True) == fingerprint(other, sort_query=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "/path",
        "http://",
        "http://a b/",
        "http://[::1",
        "http://1.2.3.4.5.999/",
        "//example.com",
    ],
)
def test_what_is_no_absolute_url_is_refused_with_an_example(text):
    with pytest.raises(InvalidUrl, match="write it whole"):
        parse_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd", "ftp://example.com/", "data:text/html,hi", "javascript:alert(1)",
        "view-source:http://example.com/", "chrome://crash", "ws://example.com/",
    ],
)  # fmt: skip
def test_H07_other_schemes_are_refused(text):
    with pytest.raises(InvalidUrl, match="only http and https"):
        parse_url(text)


def test_H02_credentials_in_a_url_are_refused():
    with pytest.raises(InvalidUrl, match="credentials"):
        parse_url("http://good@127.0.0.1/")
    assert join_url("http://example.com/", "http://good@127.0.0.1/") is None


@pytest.mark.parametrize(
    "text",
    [
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://１２７.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "http://127.0.\t0.1/\n",
    ],
)
def test_H02_every_spelling_of_an_address_is_read_as_that_address(text):
    assert host_of(parse_url(text)).rstrip(".") == "127.0.0.1"


def test_a_url_beyond_the_longest_is_refused():
    long = "http://example.com/" + "a" * MAX_URL_LENGTH

    with pytest.raises(InvalidUrl, match="longer than"):
        parse_url(long)
    assert join_url("http://example.com/", long) is None


@pytest.mark.parametrize("reference", ["javascript:void(0)", "mailto:a@b.c", "tel:1", "http://[", "data:,x"])
def test_links_that_cannot_be_fetched_are_none(reference):
    assert join_url("http://example.com/", reference) is None


def test_origin_is_scheme_host_and_port():
    assert origin_of("https://example.com:8443/a/b?c") == "https://example.com:8443"
