import pytest

from scrapemaster.domain.errors import InvalidInput, InvalidSelector
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors

PAGE = b"""<!doctype html><html><head><title>Lamps</title><meta property="og:type" content="shop"><script>var x = 1</script></head>
<body><h1>All <em>lamps</em></h1><style>p{}</style><p>Take <a href="/p/1">this one</a> or <a href="b.html">that</a>.</p>
<ul><li>oak</li><li>birch</li></ul><img src="i.png" alt="A lamp"><a href="/p/1">again</a><noscript>No script</noscript></body></html>"""


def item_of(formats, selectors=None, body=PAGE, kind="text/html"):
    plan = compile_plan(parse_selectors(selectors or {}), formats=formats)
    extraction = plan.extract(plan.open(body, "http://shop/x/", kind))
    return extraction.items[0] if extraction.items else None


def test_markdown_is_what_a_reader_sees_with_absolute_links():
    assert item_of(["markdown"]) == {
        "markdown": "# All *lamps*\n\nTake [this one](http://shop/p/1) or [that](http://shop/x/b.html).\n\n"
        "- oak\n- birch\n\n![A lamp](http://shop/x/i.png)[again](http://shop/p/1)"
    }


def test_formats_stand_beside_the_fields():
    item = item_of(["data", "html", "links", "structured"], {"title": "h1::text"})

    assert item["title"] == "All "
    assert item["html"] == PAGE.decode()
    assert item["links"] == ["http://shop/p/1", "http://shop/x/b.html"]
    assert item["structured"]["title"] == "Lamps"
    assert item["structured"]["opengraph"] == {"og:type": "shop"}


def test_without_data_the_selectors_give_nothing():
    assert set(item_of(["links"], {"title": "h1::text"})) == {"links"}


def test_a_row_that_lacks_a_required_field_is_dropped_with_its_formats():
    selectors = {"price": {"selector": ".price::text", "required": True}}

    assert item_of(["data", "markdown"], selectors) is None


def test_json_has_a_source_and_structure_and_no_markdown():
    item = item_of(["markdown", "html", "links", "structured"], body=b'{"a": 1}', kind="application/json")

    assert item == {"html": '{"a": 1}', "structured": {"json": {"a": 1}}}


def test_an_empty_page_gives_no_row():
    assert item_of(["markdown", "links"], body=b"<p></p>") is None


def test_H17_what_nests_too_deep_for_markdown_is_given_as_text():
    item = item_of(["markdown"], body=b"<body>" + b"<div>" * 2_000 + b"deep" + b"<p>text</p>")

    assert "deep" in item["markdown"]


def test_a_field_called_like_a_format_is_refused():
    with pytest.raises(InvalidSelector, match="called like a format"):
        compile_plan(parse_selectors({"html": "h1"}), formats=["data", "html"])


def test_formats_of_whole_pages_and_several_rows_of_a_page_exclude_each_other():
    with pytest.raises(InvalidInput, match=r"leave one of them out"):
        compile_plan({}, item="li", formats=["markdown"])
    assert compile_plan({}, item="li", formats=["data"])
