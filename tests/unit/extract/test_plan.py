import pytest

from scrapemaster.domain.errors import GiveUpPage, InvalidSelector
from scrapemaster.extract.document import Document
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors

SHOP = """<!doctype html><html><head><title> Shop </title></head><body>
<article class="p" data-id="1"><h2><a href="/a">Alpha</a></h2><span class="price">€ 1.234,50</span><i>red</i><i>blue</i></article>
<article class="p" data-id="2"><h2><a href="b?x=1">Beta</a></h2><span class="price">$5</span></article>
<article class="p" data-id="3"><h2></h2></article>
<p id="when">Published 3 March 2024</p><script id="state">{"user": {"name": "Ada", "tags": ["x", "y"]}}</script>
</body></html>"""


def extract(selectors, body=SHOP, kind="text/html", item=None, url="http://site/list/"):
    plan = compile_plan(parse_selectors(selectors), item)
    return plan.extract(Document(body.encode() if isinstance(body, str) else body, url, kind))


def one(selectors, body=SHOP, **options):
    (item,) = extract(selectors, body, **options).items
    return item


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("title::text", " Shop "),
        ("h2 a::attr(href)", "/a"),
        ("//article[2]//a/text()", "Beta"),
        ("xpath:count(//article)", "3.0"),
        ("./body/p/@id", "when"),
        ("regex:Published (.+?)<", "3 March 2024"),
        ("regex:data-id=.\\d", 'data-id="1'),
        ({"selector": "h2 a", "attr": "href", "many": True}, ["/a", "b?x=1"]),
        ({"selector": "h2 a", "attr": "href", "transform": "url", "many": True}, ["http://site/a", "http://site/list/b?x=1"]),
        ({"selector": "//h2/a", "attr": "href", "type": "xpath"}, "/a"),
        ({"selector": "title::text", "transform": ["strip", "upper"]}, "SHOP"),
        ({"selector": ".price::text", "transform": "price", "many": True}, [1234.5, 5.0]),
        ({"selector": ".price::text", "transform": "currency"}, "€"),
        ({"selector": "#when::text", "transform": ["regex:Published (.*)", "date"]}, "2024-03-03T00:00:00"),
        ({"selector": ".none::text", "default": "n/a"}, "n/a"),
        ({"selector": "i::text", "many": True, "transform": "upper"}, ["RED", "BLUE"]),
        ({"selector": "h2", "transform": "text"}, "Alpha"),
        ({"selector": "article", "fields": {"name": "h2 a::text", "id": "./@data-id"}}, {"name": "Alpha", "id": "1"}),
        ({"selector": "#state::text", "fields": {"name": "$.user.name", "tags": {"selector": "$.user.tags[*]", "many": True}}},
         {"name": "Ada", "tags": ["x", "y"]}),
        ({"selector": "#state", "fields": {"name": "$.user.name"}}, {"name": "Ada"}),
        ({"selector": "#state::text", "transform": "json"}, {"user": {"name": "Ada", "tags": ["x", "y"]}}),
    ],
)  # fmt: skip
def test_every_kind_of_selector(selector, expected):
    assert one({"x": selector}) == {"x": expected}


def test_a_container_gives_one_item_for_each_match():
    extraction = extract(
        {"name": "h2 a::text", "colours": {"selector": "i::text", "many": True}}, item="article.p"
    )

    assert extraction.items == [
        {"name": "Alpha", "colours": ["red", "blue"]},
        {"name": "Beta", "colours": []},
    ]


def test_a_required_field_drops_the_item_and_counts_it():
    extraction = extract(
        {"id": "./@data-id", "name": {"selector": "h2 a::text", "required": True}}, item="//article"
    )

    assert [item["id"] for item in extraction.items] == ["1", "2"]
    assert extraction.items_failed == 1


def test_a_page_where_nothing_matches_gives_no_item():
    assert extract({"a": ".none::text", "b": {"selector": ".none", "many": True}}).items == []


def test_nested_lists_of_objects():
    item = one(
        {"all": {"selector": "article", "many": True, "fields": {"n": "h2 a::text", "p": ".price::text"}}}
    )

    assert item["all"][1] == {"n": "Beta", "p": "$5"}
    assert len(item["all"]) == 3


def test_json_pages_are_read_by_jsonpath_and_items():
    body = '{"items": [{"n": 1, "t": {"v": null}}, {"n": 2.5}], "total": 2}'

    assert one(
        {"total": "$.total", "all": {"selector": "$.items[*].n", "many": True}}, body, kind="application/json"
    ) == {
        "total": 2,
        "all": [1, 2.5],
    }
    items = extract({"n": "$.n"}, body, kind="application/hal+json; charset=utf-8", item="$.items[*]").items
    assert items == [{"n": 1}, {"n": 2.5}]


def test_xml_pages_keep_their_case_and_namespaces():
    body = '<?xml version="1.0"?><feed xmlns:x="u"><Entry><title>A</title><x:id>7</x:id></Entry></feed>'

    assert one(
        {"t": "Entry > title::text", "n": "//*[local-name()='id']/text()"}, body, kind="application/rss+xml"
    ) == {
        "t": "A",
        "n": "7",
    }


def test_no_selectors_give_what_the_page_says_of_itself():
    body = """<html><head><title>T  x</title><link rel="canonical" href="/c"><meta property="og:title" content="O">
    <script type="application/ld+json">{"@type": "Product", "name": "P"}</script></head>
    <body><div itemscope itemtype="http://schema.org/Person"><b itemprop="name">Ada</b></div></body></html>"""

    item = one({}, body)

    assert (item["title"], item["canonical_url"]) == ("T x", "http://site/c")
    assert item["json_ld"] == [{"@type": "Product", "name": "P"}]
    assert item["opengraph"]["og:title"] == "O"
    assert item["microdata"][0]["properties"] == {"name": "Ada"}


@pytest.mark.parametrize("ld", ["{", "[[[[", '{"a": NaN}', "null", '{"@graph": [1, {"x": "\\ud800"}]}', ""])
def test_broken_structured_data_break_nothing(ld):
    assert one({}, f'<title>t</title><script type="application/ld+json">{ld}</script>')["title"] == "t"


@pytest.mark.parametrize(
    ("selectors", "words"),
    [
        ({"a": "h1::nonsense"}, "'a'"),
        ({"a": "h1["}, "'a'"),
        ({"a": "//h1["}, "is not XPath"),
        ({"a": "xpath:unknown(1"}, "is not XPath"),
        ({"a": {"selector": "(", "type": "regex"}}, "does not compile"),
        ({"a": "regex:(?=x)"}, "RE2"),
        ({"a": "$.["}, "is not JSONPath"),
        ({"a": "$[?match(@.x, '(a+)+$')]"}, "is not JSONPath"),
        ({"a": ""}, "is empty"),
        ({"a": 5}, "must be a string or an object"),
        ({"a": {"selektor": "h1"}}, "'selektor'"),
        ({"a": {"type": "css"}}, "selector is missing"),
        ({"a": {"selector": "h1", "type": "sql"}}, "css, xpath, regex, jsonpath"),
        ({"a": {"selector": "h1", "many": "yes"}}, "true or false"),
        ({"a": {"selector": "h1", "transform": "explode"}}, "there is no transform 'explode'"),
        ({"a": {"selector": "h1::text", "attr": "id"}}, "give one of them"),
        ({"a": {"selector": "h1", "fields": {"b": "h2["}}}, "'a.b'"),
        ({"a": {"selector": "h1", "fields": {"b": "b"}, "transform": "strip"}}, "both fields and transform"),
        ({"a": "h" * 5_000}, "longer than"),
        ({"": "h1"}, "name"),
    ],
)
def test_a_selector_that_cannot_be_used_is_named(selectors, words):
    with pytest.raises(InvalidSelector) as caught:
        extract(selectors)

    assert words in str(caught.value)
    assert caught.value.where[0] == "selectors"


def test_a_container_that_cannot_be_used_is_named():
    with pytest.raises(InvalidSelector, match="config.item") as caught:
        compile_plan({}, "div[")
    assert caught.value.where == ("config", "item")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*b", "^(a?){50}a{50}$"])
def test_H26_regexes_run_in_linear_time(pattern):
    body = "<title>" + "a" * 50_000 + "</title>"

    extract({"x": f"regex:{pattern}"}, body)
    extract({"x": {"selector": "title::text", "transform": f"regex:{pattern}"}}, body)
    extract({"x": f"//title[re:test(., '{pattern}')]"}, body)


def test_H26_too_many_and_too_deep_selectors_are_refused():
    deep = "b"
    for _ in range(20):
        deep = {"selector": "div", "fields": {"x": deep}}
    for selectors in ({"a": deep}, {f"f{n}": "h1" for n in range(1_000)}):
        with pytest.raises(InvalidSelector):
            extract(selectors)


@pytest.mark.parametrize(
    "selector", ["xpath:document('file:///etc/passwd')", "//x[php:function('x')]", "__import__('os')"]
)
def test_H27_selectors_reach_nothing_but_the_page(selector):
    try:
        items = extract({"a": selector}).items
    except (InvalidSelector, GiveUpPage):
        return
    assert items == []


def test_H18_entities_of_xml_are_neither_expanded_nor_fetched():
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    body = f'<?xml version="1.0"?><!DOCTYPE r [{lol}<!ENTITY x SYSTEM "file:///etc/passwd">]><r><a>&x;</a><b>&l9;</b></r>'

    items = extract({"a": "a", "b": "b"}, body, kind="application/xml").items

    assert "root:" not in str(items)
    assert len(str(items)) < 1_000


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 100_000, '{"a": NaN}', "{'a': 1}", "", "nul", '{"a": 1} x', b"\xff\xfe"]
)
def test_H19_json_that_is_none_fails_the_page(body):
    with pytest.raises(GiveUpPage) as caught:
        extract({"a": "$.a"}, body, kind="application/json")
    assert caught.value.reason == "bad_json"


def test_H19_huge_numbers_and_doubled_keys_are_taken_as_they_come():
    assert (
        one({"a": "$.a"}, '{"a": 1, "a": 123456789012345678901234567890}', kind="application/json")["a"]
        > 1e29
    )


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 20_000,
        "<b><i>" * 20_000 + "x",
        "<a " + " ".join(f"a{n}=1" for n in range(20_000)) + ">x</a>",
        "<table><tr><td>" * 5_000,
        "<p>" + "x" * 5_000_000,
        "&amp;" * 200_000,
        "<!--" * 50_000,
        "<" * 200_000,
        "</div>" * 50_000,
    ],
)
def test_H17_monstrous_markup_ends_in_bounded_time(body):
    plan = compile_plan(parse_selectors({"t": "title::text", "a": "a.x::attr(href)", "p": "div > p"}))
    document = plan.open(body.encode(), "http://site/", "text/html")

    plan.extract(document)
    document.links()


def test_links_come_from_anchors_areas_and_next_links_under_the_base():
    body = """<base href="/deep/"><a href="a">x</a><map><area href="b"></map><link rel="prefetch next" href="c">
    <link rel="stylesheet" href="no"><a>none</a><a href="">empty</a>"""
    fast = Document(body.encode(), "http://site/x", "text/html")
    slow = Document(body.encode(), "http://site/x", "text/html", prefer_lxml=True)

    assert sorted(fast.links()) == sorted(slow.links()) == ["", "a", "b", "c"]
    assert fast.base_url == slow.base_url == "http://site/deep/"
