import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapemaster.crawl.comparison import changed
from scrapemaster.crawl.extraction import Found

rows = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)), max_size=3)


def found(rows, links=()):
    return Found([orjson.dumps(row) for row in rows], 0, {}, "http://h/x/", list(links), len(links))


@settings(deadline=None)
@given(rows, rows)
def test_equal_rows_are_no_change_and_others_are_unless_they_are_gone(plain, rendered):
    assert changed(found(plain), found(rendered)) == (plain != rendered and not (plain and not rendered))


@settings(deadline=None)
@given(rows)
def test_what_differs_between_two_plain_requests_is_not_the_browsers_doing(plain):
    again = [{name: value + 10 for name, value in row.items()} for row in plain]
    rendered = [{**row, **dict.fromkeys(row, 99)} for row in plain]

    assert not changed(found(plain), found(rendered), found(again))
    assert changed(found([*plain, {"a": 1}]), found([*rendered, {"a": 2}]), found([*again, {"a": 1}]))


@pytest.mark.parametrize(
    ("plain", "rendered", "expected"),
    [
        (["/a", "b"], ["http://h/a", "/x/b"], False),
        (["/a"], ["/a", "/c"], True),
        (["/a", "/c"], ["/a"], False),
        ([], ["javascript:void(0)"], False),
    ],
)
def test_links_that_only_the_rendered_page_has_are_a_change(plain, rendered, expected):
    assert changed(found([{"a": 1}], plain), found([{"a": 1}], rendered)) is expected


def test_a_pages_source_is_not_compared():
    assert not changed(found([{"a": 1, "html": "<p>"}]), found([{"a": 1, "html": "<p class=js>"}]))
