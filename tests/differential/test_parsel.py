"""Our results beside parsel's, on real pages of four generators and on markup broken on purpose."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import parsel
import pytest

from scrapemaster.domain.selector import Selector, SelectorType
from scrapemaster.extract.document import Document
from scrapemaster.extract.encoding import decode
from scrapemaster.extract.fast import compile_fast
from scrapemaster.extract.plan import compile_plan
from scrapemaster.extract.selectors import parse_selectors

#: Sphinx, AsciiDoc, Tcl scripts and hand-written pages, DocBook.
SITES = {
    "python3.11-doc": Path("/usr/share/doc/python3.11/html"),
    "git-doc": Path("/usr/share/doc/git-doc"),
    "sqlite3-doc": Path("/usr/share/doc/sqlite3"),
    "postgresql-doc-15": Path("/usr/share/doc/postgresql-doc-15/html"),
}
PAGES_EACH = 255

CSS = (
    """
title::text | h1::text | h2::text | h3::text | p::text | li::text | td::text | code::text | span::text | a::text
a::attr(href) | a::attr(title) | link::attr(href) | meta::attr(content) | img::attr(src) | img::attr(alt)
a.reference::attr(href) | a.headerlink::attr(title) | div.section::attr(id) | span.pre::text | span.emphasis::text
h2.title::text | dt.sig::attr(id) | p.first::text | pre::text | em::text | strong::text | tt::text | b::text | i::text
body > div a::attr(href) | div > p::text | ul li a::text | h1 + p::text | h2 ~ p::text | table td a::attr(href)
div:has(> p)::attr(class) | p:has(a) a::text | li:nth-child(2)::text | li:nth-last-child(1)::text | tr:nth-of-type(odd) td::text
p:first-of-type::text | p:not(.first)::text | a:not([title])::attr(href) | a[href^="http"]::text | a[href$=".html"]::attr(href)
a[href*="index"]::text | *[id]::attr(id) | [class~="title"]::text | h1, h2 | h3 | dl dt | :root::attr(lang) | p:empty
:contains("the") > b::text | title, h1::text | div *::text | #content::attr(class) | blockquote | html::attr(xmlns) | dt::text
ol > li:only-child::text | th::text | dd > p::text
""".strip()
    .replace("\n", " | ")
    .split(" | ")
)
XPATH = [
    "//h2//text()",
    "//a[starts-with(@href, '#')]/@href",
    "//p[position() < 3]",
    "//td[2]",
    "count(//a)",
    "//li[not(.//a)]/text()",
    "//*[local-name() = 'h2']",
    "string(//title)",
    "normalize-space(//h1)",
    "boolean(//table)",
    "//comment()",
]

BROKEN = {
    "heading closed from outside": "<span><h2>a</span>b</h2><p>c",
    "formatting reconstructed": "<p><b>x</p><h2>a</h2><h2>b</h2>",
    "formatting over blocks": "<b>1<p>2</b>3</p><h2>x<b>y</h2>z</b>",
    "anchors nested": "<a href=1>x<a href=2>y</a>z</a><h2><a href=3>t<a href=4>u</a></a></h2>",
    "foster parents": "<h2>z</h2><table><tr><td><h2>A</h2><a href=1>a</a></td></tr><h2>B</h2><a href=2>b</a></table>",
    "foster text": "<table>text<tr><td>x</td></tr>more</table><p>y</p>",
    "cells without a table": "<td>x</td><tr><td>y</td></tr><p>z</p>",
    "stray ends": "<h2>a</p>b</h2><h2>c</b>d</h2></div><h2>e</h2>",
    "unclosed all": "<h2>a<h2>b<h3>c<p>d<p>e<li>f<li>g<td>h",
    "block in heading": "<h2>foo<p>bar</p>baz</h2><h2>q<div>r</div>s</h2>",
    "in a comment": "<!-- <h2>no</h2> --><h2>yes</h2><!--><h2>x</h2>--><p>p",
    "in a script": "<script>'<h2>no</h2>'</script><h2>yes</h2>",
    "in a textarea": "<textarea><h2>no</h2></textarea><h2>yes</h2>",
    "in a title": "<title>a <h2>b</h2></title><h2>c</h2>",
    "two titles": "<title>a</title><body><title>b</title><p>x</p>",
    "svg title": "<title>a</title><svg><title>b</title><a href='1'>x</a></svg><a href='2'>y</a>",
    "template": "<template><h2>a</h2><a href=1></a></template><h2>b</h2>",
    "select": "<select><option><h2>a</h2><a href='x'>y</a></select><h2>b</h2>",
    "noscript": "<noscript><h2>a</h2><a href='1'>b</a></noscript><h2>c</h2>",
    "iframe": "<iframe><h2>a</h2></iframe><h2>c</h2>",
    "cdata": "<![CDATA[<h2>a</h2>]]><h2>c</h2><h2><![CDATA[x]]>y</h2>",
    "processing instruction": "<?php echo '<h2>a</h2>' ?><h2>b<?x y?>c</h2>",
    "xml prolog": '<?xml version="1.0" encoding="latin-1"?><html xmlns="http://www.w3.org/1999/xhtml"><h2>é</h2>',
    "self closing": "<h2/>a<h2>b<span/>c</h2><a href='1'/>t<a href='2'>u</a><p>v</p>",
    "upper case": "<H2>a</H2><h2 CLASS='Title'>b</h2><A HREF='x'>c</A><h2 class=title>d</h2>",
    "quirks class": "<h2 class='TITLE'>a</h2><h2 class='title big'>b</h2><h2 class=\"title\">c</h2>",
    "entities": "<h2>a &amp; b &nbsp; &copy c &#x41; &notit; &euro;</h2><a href='?a=1&copy=2&amp;b'>x &lt;b&gt;</a>",
    "entities in class": "<h2 class='&#116;itle'>a</h2><h2 class='title'>b</h2>",
    "duplicates": "<a href='1' href='2' HREF='3'>x</a><a title='href=\"q\"' href='4'>y</a>",
    "unquoted": "<a href=1>x</a><a href = 2 >y</a><a href>z</a><a href=''>w</a><a data-href='5'>v</a>",
    "greater in attribute": "<h2 title='a>b'>c</h2><a title='x > y' href='1'>z</a><h2>d</h2>",
    "carriage returns": "<h2>a\r\nb</h2>\r\n<a href='x\r\ny'>c\rd</a>",
    "control characters": "<h2>a\x01b\x0cc</h2><h2>d\x0be</h2><h2>f\x7fg\x85</h2>",
    "nul": "<h2>a\x00b</h2><a href='x\x00y'>c</a>",
    "nothing": "",
    "white space": " \n\t ",
    "text alone": "just text",
    "comments inside": "<h2>a<!-- x -->b</h2><h2><!-- y --></h2><h2></h2><h2> </h2>",
    "line breaks": "<h2>a<br>b<br/>c<img src=x>d<wbr>e</h2>",
    "phrasing": "<h2>a<em>b<strong>c</strong></em>d<code>e</code></h2><h2><b>x</b></h2>",
    "phrasing misnested": "<h2>a<b>b<i>c</b>d</i>e</h2><h2>f</h2>",
    "heading in anchor": "<a href='1'><h2>a</h2></a><h2><a href='2'>b</a>c</h2>",
    "names alike": "<b>x</b><body class=y><base href='z'><h2>a</h2><big>c</big><b>d</b>",
    "emoji": "<h2>😀 &#128512; a</h2><h2 class='title'>ü\u00a0\u2028x</h2>",
    "invalid utf-8": b"<h2>a\xff\xfe\xc3b</h2><a href='\xe9'>c</a>",
    "frameset": "<frameset><frame src=a></frameset><h2>a</h2><noframes><h2>b</h2></noframes>",
    "plaintext": "<h2>a</h2><plaintext><h2>b</h2>",
    "list items": "<ul><li>a<ul><li>b</li></ul>c</li><li>d</ul><p>e<ul><li>f</ul>g</p>",
    "paragraph with list": "<p>a<ul><li>b</ul>c</p><p>d<table><tr><td>e</table>f</p>",
    "forms": "<form><h2>a</h2><form><h2>b</h2></form><a href='1'>c</a></form>",
    "ruby and friends": "<h2>a<ruby>b<rt>c</ruby>d</h2><button><h2>x</button>y</h2><button>",
    "html twice": "<html class=a><body class=b><html class=c lang=x><body id=d><h2>e</h2>",
}


def pages():
    found = []
    for package, root in SITES.items():
        if not root.is_dir():
            assert os.environ.get("CI") != "true", f"CI must install {package}"
            pytest.skip(f"{package} is not installed")
        files = sorted(file for file in root.rglob("*.html") if file.is_file())
        step = max(1, len(files) // PAGES_EACH)
        found += list(islice(files[::step], PAGES_EACH))
    return found


def ours(body, queries):
    raw = {query: {"selector": query, "many": True} for query in queries}
    plan = compile_plan(parse_selectors(raw))
    document = Document(body, "http://site/", "text/html")
    items = plan.extract(document).items
    empty = {query: [] for query in queries}
    return items[0] if items else empty


def first_of_ours(body, queries):
    plan = compile_plan(parse_selectors(dict.fromkeys(queries, "") | {query: query for query in queries}))
    items = plan.extract(Document(body, "http://site/", "text/html")).items
    return items[0] if items else dict.fromkeys(queries)


def theirs(body, queries):
    selector = parsel.Selector(text=decode(body, "text/html"), type="html")
    return {
        query: (selector.xpath(query) if query in XPATH else selector.css(query)).getall()
        for query in queries
    }


def differences(body, queries):
    expected, got = theirs(body, queries), ours(body, queries)
    found = [
        (query, expected[query][:3], got[query][:3]) for query in queries if expected[query] != got[query]
    ]
    firsts = first_of_ours(body, queries)
    found += [
        (f"{query} (first)", expected[query][:1], firsts[query])
        for query in queries
        if (expected[query][0] if expected[query] else None) != firsts[query]
    ]
    return found


@pytest.fixture(scope="module")
def queries():
    return CSS


def test_there_are_sixty_selectors(queries):
    assert len({*queries, *XPATH}) >= 60


@pytest.mark.slow
def test_every_result_on_real_pages_is_parsels(queries):
    files = pages()
    assert len(files) >= 1_000

    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork")) as pool:
        wrong = [found for page in pool.map(wrong_on, files, chunksize=25) for found in page]

    assert wrong == []


def wrong_on(file):
    body = file.read_bytes()
    return [(file.name, *found) for found in (*differences(body, CSS), *xpath_differences(body))]


def xpath_differences(body):
    selector = parsel.Selector(text=decode(body, "text/html"), type="html")
    rules = {query: Selector(query, SelectorType.XPATH, many=True) for query in XPATH}
    items = compile_plan(rules).extract(Document(body, "http://site/", "text/html")).items
    got = items[0] if items else {query: [] for query in XPATH}
    expected = {query: selector.xpath(query).getall() for query in XPATH}
    return [(query, expected[query][:3], got[query][:3]) for query in XPATH if expected[query] != got[query]]


@pytest.mark.parametrize("case", BROKEN)
def test_every_result_on_broken_markup_is_parsels(queries, case):
    body = BROKEN[case]
    if isinstance(body, str):
        body = body.encode()
    whole = b"<!doctype html><html><head><meta charset=utf-8></head><body>" + body + b"</body></html>"

    assert differences(body, queries) == []
    assert differences(whole, queries) == []
    assert xpath_differences(body) == []


@pytest.mark.slow
def test_the_fast_path_is_taken_on_most_real_pages():
    taken = {"title::text": 0, "h2::text": 0, "h1::text": 0, "a::attr(href)": 0}
    files = pages()
    for file in files:
        document = Document(file.read_bytes(), "http://site/", "text/html")
        for query in taken:
            taken[query] += compile_fast(query).find(document) is not None
    assert taken["title::text"] > 0.9 * len(files)
    assert taken["h2::text"] > 0.6 * len(files)
