"""From an element to a selector that will still find it tomorrow: the workbench's own rules, in the browser that runs them."""

from pathlib import Path

import pytest

from dashboard import chromium
from scrapemaster.dashboard.files import ASSETS

_MODULES = {name: (Path(ASSETS) / "frame" / name).read_text() for name in ("selector.js", "similar.js")}
_CALL = """async ([name, html, places]) => {
  document.body.outerHTML = `<body>${html}</body>`;
  const module = await import(`http://rules.invalid/${name === 'selectorFor' || name === 'handMade' ? 'selector' : 'similar'}.js`);
  const [one, two] = places.map((css) => document.querySelector(css));
  if (name === 'selectorFor') return module.selectorFor(one, document);
  if (name === 'areAlike') return module.areAlike(one, two);
  if (name === 'listOf') return module.listOf(one, two)?.item ?? null;
  const items = [...document.querySelectorAll(places[1])];
  return module.fieldSelector(one, items.find((item) => item.contains(one)), items);
}"""


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        page = browser.new_page()

        def serve(route):
            name = route.request.url.rpartition("/")[2]
            if name in _MODULES:
                route.fulfill(body=_MODULES[name], content_type="text/javascript")
            else:
                route.fulfill(body="<!doctype html><title>rules</title>", content_type="text/html")

        page.route("**/*", serve)
        page.goto("http://rules.invalid/")
        yield page


@pytest.fixture
def rule(page):
    return lambda name, html, *places: page.evaluate(_CALL, [name, html, list(places)])


@pytest.mark.parametrize(
    ("html", "place", "selector"),
    [
        ("<p id=price>1</p><p>2</p>", "#price", "#price"),
        ("<p itemprop=price class=css-1x2y3z>1</p><p>2</p>", "[itemprop]", '[itemprop="price"]'),
        ("<p data-testid=total>1</p><p>2</p>", "[data-testid]", '[data-testid="total"]'),
        ("<p class='mt-4 text-lg price'>1</p><p class='mt-4 text-lg'>2</p>", ".price", ".price"),
        ("<h1 class=sc-bdVaJa>1</h1><p>2</p>", "h1", "h1"),
        ("<div id=ember1234><b class=_3xK9q>1</b></div><b>2</b>", "#ember1234 b", "div b"),
        ("<div class=box><b>1</b></div><div class=other><b>2</b></div>", ".other b", ".other b"),
        ("<main><span>1</span></main><footer><span>2</span></footer>", "footer span", "footer span"),
        ("<p class=row>1</p><p class=row>2</p>", ".row", "p.row"),
    ],
)
def test_a_name_that_a_person_gave_is_preferred(rule, html, place, selector):
    assert rule("selectorFor", html, place) == selector


def test_a_place_is_used_only_where_no_name_tells_apart(rule, page):
    found = rule("selectorFor", "<ul class=list><li>1</li><li>2</li><li>3</li></ul>", "li:nth-child(2)")

    assert found == ".list li:nth-of-type(2)"
    assert page.evaluate(f"document.querySelectorAll({found!r}).length") == 1


LISTS = {
    "cards": "<div class=grid><article class=product><h2><a>A</a></h2><b class=cost>1</b></article><article class=product><h2><a>B</a></h2><b class=cost>2</b></article></div>",
    "rows": "<table id=prices><tbody><tr><td>A</td><td>1</td></tr><tr><td>B</td><td>2</td></tr></tbody></table><table><tr><td>no</td></tr></table>",
    "hashed": "<section class=results><div class=css-1ab2c3><i class=x1y2z3>A</i></div><div class=css-1ab2c3><i class=x1y2z3>B</i></div></section>",
    "grouped": "<div class=lines><div class=line><p class=cell><b>A</b></p><p class=cell><b>B</b></p></div><div class=line><p class=cell><b>C</b></p><p class=cell><b>D</b></p></div></div>",
    "wrapped": "<ol class=news><li><div><h3>A</h3></div></li><li><div><h3>B</h3></div></li></ol><ol><li>no</li></ol>",
}


@pytest.mark.parametrize(
    ("name", "one", "two", "item"),
    [
        ("cards", "article:nth-child(1) a", "article:nth-child(2) a", ".product"),
        ("rows", "tr:nth-child(1) td", "tr:nth-child(2) td", "#prices tr"),
        ("hashed", "div:nth-child(1) i", "div:nth-child(2) i", ".results > div"),
        (
            "grouped",
            ".line:nth-child(1) .cell:nth-child(1) b",
            ".line:nth-child(2) .cell:nth-child(1) b",
            ".cell",
        ),
        ("wrapped", "li:nth-child(1) h3", "li:nth-child(2) h3", ".news > li"),
    ],
)
def test_two_alike_make_a_list_of_the_largest_parts_that_hold_one(rule, page, name, one, two, item):
    found = rule("listOf", LISTS[name], one, two)

    assert rule("areAlike", LISTS[name], one, two)
    assert page.evaluate("([a, b]) => { const set = (css) => JSON.stringify([...document.querySelectorAll(css)].map((n) => [...document.querySelectorAll('*')].indexOf(n))); return [set(a), set(b)]; }", [found, item])[0] == page.evaluate("(b) => JSON.stringify([...document.querySelectorAll(b)].map((n) => [...document.querySelectorAll('*')].indexOf(n)))", item), found  # fmt: skip


def test_what_is_not_alike_makes_no_list(rule):
    assert not rule("areAlike", LISTS["cards"], "article:nth-child(1) a", "article:nth-child(1) b")
    assert not rule("areAlike", LISTS["cards"], "article:nth-child(1)", "article:nth-child(1) a")


@pytest.mark.parametrize(
    ("html", "place", "item", "selector"),
    [
        (LISTS["cards"], "article:nth-child(2) a", ".product", "h2 a"),
        (LISTS["cards"], "article:nth-child(2) .cost", ".product", ".cost"),
        (LISTS["rows"], "tr:nth-child(2) td:nth-child(2)", "#prices tr", "td:nth-of-type(2)"),
        ("<ul><li class=x>A</li><li class=x>B</li></ul>", "li", "li.x", ""),
    ],
)
def test_a_field_is_named_within_its_row(rule, html, place, item, selector):
    assert rule("fieldSelector", html, place, item) == selector
