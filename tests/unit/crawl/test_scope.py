import pytest

from scrapemaster.crawl.scope import Scope, is_trap


@pytest.mark.parametrize(
    ("url", "covered"),
    [
        ("http://example.com/a", True),
        ("https://example.com:8443/a", True),
        ("http://shop.example.com/", True),
        ("http://notexample.com/", False),
        ("http://example.com.evil.test/", False),
        ("http://com/", False),
    ],
)
def test_a_domain_covers_itself_and_its_subdomains(url, covered):
    assert Scope(["example.com"]).covers(url) is covered


def test_an_address_is_its_own_domain():
    scope = Scope(["127.0.0.1"])

    assert scope.covers("http://127.0.0.1:8080/a")
    assert not scope.covers("http://1.127.0.0.1.test/")


def test_a_link_must_match_include_and_none_of_exclude():
    scope = Scope(["e.com"], include=["*/product/*"], exclude=["*.pdf", "*print=1*"])

    assert scope.covers("http://e.com/product/1")
    assert not scope.covers("http://e.com/about")
    assert not scope.covers("http://e.com/product/1.pdf")
    assert not scope.covers("http://e.com/product/1?print=1")


def test_a_widened_scope_covers_the_host_it_refused_before():
    scope = Scope(["e.com"])
    assert not scope.covers("http://other.test/")

    scope.widen("other.test")

    assert scope.covers("http://other.test/")


@pytest.mark.parametrize(
    ("url", "trap"),
    [
        ("http://e.com/" + "a/" * 9, True),
        ("http://e.com/" + "a/b/" * 5, True),
        ("http://e.com/?" + "x" * 2_000, True),
        ("http://e.com/" + "/".join(str(number) for number in range(40)), True),
        ("http://e.com/?" + "&".join(["a=1"] * 3), True),
        ("http://e.com/?" + "&".join(f"p{number}=1" for number in range(40)), True),
        ("http://e.com/?f[]=1&f[]=2&f[]=3&f[]=4", False),
        ("http://e.com/?a&a&a", False),
        ("http://e.com/2024/01/01/2024/title", False),
        ("http://e.com/a/b/c/d/e/f/g/h/i/j", False),
    ],
)
def test_H20_endless_looking_links_are_traps(url, trap):
    assert is_trap(url) is trap


def test_H26_a_glob_of_many_stars_is_quick():
    scope = Scope(["e.com"], include=["*a" * 50 + "b"])

    assert not scope.covers("http://e.com/" + "a" * 1_900)
