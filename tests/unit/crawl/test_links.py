from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.crawl.links import LinkFinder
from scrapemaster.crawl.scope import Scope
from scrapemaster.domain.request import fingerprint
from scrapemaster.domain.url import join_url

BASE = "http://e.com/docs/page.html"


def finder(**options):
    return LinkFinder(Scope(["e.com"]), options.get("max_depth"), sort_query=False)


def test_a_link_is_found_once_however_it_is_written():
    links = finder()

    found = links.find(BASE, ["a.html", "./a.html", "/docs/a.html#x", "http://e.com/docs/a.html"], 0)

    assert [request.url for request in found] == ["http://e.com/docs/a.html"]
    assert found[0].depth == 1
    assert links.find("http://e.com/other", ["docs/a.html"], 3) == []


def test_references_that_depend_on_the_page_itself_are_read_for_each_page():
    links = finder()

    first = links.find("http://e.com/list", ["?page=2"], 0)
    second = links.find("http://e.com/other", ["?page=2"], 0)

    assert [request.url for request in first + second] == [
        "http://e.com/list?page=2",
        "http://e.com/other?page=2",
    ]


@given(
    st.lists(
        st.text("ab/?#:. %\t\n", max_size=8).map(lambda text: text if "#" in text else f"{text}#{text}"),
        max_size=6,
    )
)
def test_places_on_pages_lead_to_the_pages_that_the_url_standard_says(references):
    expected = dict.fromkeys(url for one in references if (url := join_url(BASE, one)) is not None)

    found = finder().find(BASE, references, 0)

    assert [one.fingerprint for one in found] == list(
        dict.fromkeys(fingerprint(url) for url in expected if url.startswith("http://e.com/"))
    )


def test_a_forgotten_link_is_found_again():
    links = finder()
    links.find(BASE, ["a.html"], 0)

    links.forget()

    assert len(links.find(BASE, ["a.html"], 0)) == 1


def test_links_are_followed_down_to_max_depth():
    links = finder(max_depth=2)

    assert [links.follows_from(depth) for depth in (0, 1, 2)] == [True, True, False]


def test_H20_traps_are_counted_and_left_out():
    links = finder()

    assert links.find(BASE, ["x/" * 20], 0) == []
    assert links.traps == 1


references = st.lists(
    st.sampled_from(
        [
            "a",
            "b/",
            "../c",
            "/d",
            "?q=1",
            "",
            "#top",
            "//e.com/f",
            "http://other.test/",
            "a?x#y",
            "mailto:x@y",
        ]
    ),
    max_size=12,
)
bases = st.sampled_from(["http://e.com/", "http://e.com/x/y", "http://e.com/x/z?k=/v", "http://e.com/x/y/"])


@given(st.lists(st.tuples(bases, references), max_size=8))
def test_all_links_of_all_pages_are_found_exactly_once(pages):
    links = finder()

    found = [request for base, refs in pages for request in links.find(base, refs, 0)]

    wanted = {join_url(base, ref) for base, refs in pages for ref in refs} - {None, "http://other.test/"}
    assert {request.url for request in found} == wanted
    assert len({request.fingerprint for request in found}) == len(found)
    assert all(request.fingerprint == fingerprint(request.url) for request in found)
