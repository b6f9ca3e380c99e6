"""The bound on what selectors cost: never too low, and small for what people write."""

import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scrapemaster.domain.errors import InvalidSelector
from scrapemaster.extract.cost import jsonpath_cost, xpath_cost
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors

#: Elements of a page that is larger than most.
LARGE_PAGE = b"<p>x</p>" * 1_000


def plan(selector, item=None):
    return compile_plan(parse_selectors({"x": selector}), item)


@pytest.mark.parametrize(
    "selector",
    [
        "h1::text",
        "a::attr(href)",
        "div.product > span.price::text",
        "div.product a::attr(href)",
        "//h1/text()",
        "//div[@class='x']/a/@href",
        "//a[contains(text(), 'next')]/@href",
        "//span[@itemprop='price']/@content",
        {"selector": "a", "attr": "href", "many": True},
        {"selector": ".price::text", "transform": ["strip", "price"]},
        "regex:price: ([0-9.]+)",
    ],
)
def test_what_people_write_is_run_in_the_crawler_itself(selector):
    assert plan(selector).seconds(LARGE_PAGE, 1.0) < 1.0


@pytest.mark.parametrize(
    "selector",
    [
        "//div[count(.//p[count(following::p) > 0]) > 0]",
        "//*[//*[//*]]",
        "//p[preceding::p[following::p]]",
        "//*[. = //*]",
        "//p[re:test(., @class)]",
        "xpath:concat(" + ",".join(["string(/)"] * 20) + ")",
        {"selector": "//p/text()", "many": True, "transform": "date"},
        "$..*..*..*",
    ],
)
def test_H26_what_can_take_long_is_run_where_it_can_be_ended(selector):
    assert plan(selector).seconds(LARGE_PAGE + b"[1,2,3]" * 300, 1.0) >= 1.0


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (",".join(["a"] * 2_000), "more than 100 selectors"),
        (" ".join(["a"] * 2_000), "nested too deeply"),
        (".a" * 2_000, "nested too deeply"),
        (":has(" * 50 + "a" + ")" * 50, "more than 8 deep"),
        ("//a" + "[//a" * 700 + "]" * 700, "more than 8 deep"),
        ("//a" * 1_000, "more than 500 steps"),
        ("xpath:" + "|".join(["//a"] * 900), "more than 500 steps"),
        ("$" + "[0,0]" * 600, "lists in brackets"),
        ("$[" + ",".join(["0"] * 200) + "]", "more than 50"),
        ("$" + "..*" * 50, "more than 8 times"),
        ("$" + "[?@.a]" * 100, "more than 8 times"),
    ],
)
def test_H26_what_nobody_could_afford_is_refused_and_named(selector, words):
    with pytest.raises(InvalidSelector) as caught:
        plan(selector)

    assert "'x'" in str(caught.value)
    assert words in str(caught.value)


def test_H26_all_selectors_together_are_bounded():
    with pytest.raises(InvalidSelector, match="100,000 characters together"):
        parse_selectors({f"f{number}": "a" * 4_000 for number in range(30)})


def test_quotes_hide_what_they_hold():
    assert xpath_cost("//p[@a = '//b[//c[']").steps == xpath_cost("//p[@a = 'b']").steps
    assert jsonpath_cost("$['a..b..c', 'd']").json_steps == jsonpath_cost("$['a', 'd']").json_steps


def test_H26_what_is_within_something_else_costs_more():
    alone, within = plan("//b//c"), plan("//b//c", item="//a")

    assert within.seconds(LARGE_PAGE, 0.0) > alone.seconds(LARGE_PAGE, 0.0)


STEP = st.sampled_from(
    ["//div", "//p", "/*", "/parent::*", "//*", "/following::p", "/ancestor::*", "/following-sibling::*"]
)
TEST = st.sampled_from(
    ["", "[1]", "[.//p]", "[count(preceding-sibling::*) > 1]", "[../p]", "[contains(., 'x')]", "[. = ../p]"]
)
EXPRESSION = st.lists(st.tuples(STEP, TEST), min_size=1, max_size=3).map(
    lambda parts: "".join(step + test for step, test in parts).replace("/", "//", 1).replace("////", "//").replace("///", "//")
)  # fmt: skip
NESTED, FLAT = b"<div><p>x</p>" * 40, b"<p>x</p>" * 80


@settings(max_examples=60, deadline=None)
@given(EXPRESSION, st.sampled_from([NESTED, FLAT]))
def test_H26_the_bound_is_not_below_what_an_expression_takes(expression, body):
    compiled = plan("xpath:" + expression)
    bound = compiled.seconds(body, 0.0)
    assume(bound < 1.0)

    began = time.thread_time()
    compiled.extract(compiled.open(body, "http://site/", "text/html"))
    taken = time.thread_time() - began

    assert taken < bound * 3 + 0.1


@pytest.mark.parametrize("opening", [b"<div>", b"<dl><dd>"])
def test_H17_the_bound_knows_that_parsing_takes_more_the_deeper_markup_is_nested(opening):
    compiled = plan("h1::text")
    assert compiled.seconds(opening * 25_000, 1.0) >= 1.0
    body = opening * 5_000

    began = time.thread_time()
    _ = compiled.open(body, "http://site/", "text/html").lexbor
    taken = time.thread_time() - began

    assert taken < compiled.seconds(body, 0.0) * 3 + 0.1


@given(
    st.sampled_from(["h1::text", "//p[following::p]", "$..a", "regex:a+", {"selector": "a", "many": True}]),
    st.lists(
        st.tuples(
            st.sampled_from([b"<p>", b"words ", b"[1,", b"<b itemscope>"]),
            st.sampled_from([0, 10, 1_000, 20_000, 400_000]),
        ),
        max_size=8,
    ),
)
def test_whether_a_page_is_quick_is_what_its_bound_says_whatever_came_before(selector, pages):
    compiled = plan(selector)

    for piece, times in pages:
        body = piece * times
        assert compiled.is_quick(body, 1.0) == (compiled.seconds(body, 1.0) < 1.0)
