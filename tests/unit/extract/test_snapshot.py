"""Pages to look at: nothing in them runs or loads anything."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.extract.document import Document
from scrapemaster.extract.snapshot import MOST_HTML, snapshot_of, still_css

URL = "http://site/shop/list"


def snapshot(html):
    return snapshot_of(Document(html.encode(), URL, "text/html"))


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>x</script>",
        "<iframe src=/a></iframe>",
        "<object data=/a></object>",
        "<embed src=/a>",
        "<template><img src=/a></template>",
        "<noscript><img src=/a></noscript>",
        "<base href=//elsewhere/>",
        "<meta http-equiv=refresh content=0>",
        "<svg><script>x</script><use href=/a /><foreignObject><b>x</b></foreignObject></svg>",
    ],
)
def test_what_runs_or_loads_is_gone(hostile):
    shown = snapshot(f"<body><p>kept</p>{hostile}</body>").html

    assert "<p>kept</p>" in shown
    assert (
        re.search(
            r"<(script|iframe|object|embed|template|noscript|base|meta|use|foreignobject)",
            shown,
            re.IGNORECASE,
        )
        is None
    )


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("<img src=/a.png srcset='/b.png 2x' alt=A>", 'data-sm-src="/a.png"'),
        ("<p onclick=x() class=price>", 'class="price"'),
        ("<form action=/a class=f>", 'class="f"'),
        ("<a href=' javascript:x' class=b>", 'data-sm-href=" javascript:x"'),
        ("<a href='java&#9;script:x'>", "data-sm-href="),
        ("<a href=/next ping=/spy target=_top>", 'href="/next"'),
        ("<p style='color:red;background:url(/a)'>", 'data-sm-style="color:red;background:none"'),
        ("<video src=/a poster=/b>", 'data-sm-poster="/b"'),
        ("<image xlink:href=/a>", "data-sm-"),
    ],
)
def test_attributes_that_run_or_load_are_gone_or_put_aside(tag, kept):
    shown = snapshot(f"<body>{tag}</body>").html

    assert kept in shown
    assert re.search(r"\s(on\w+|src|srcset|poster|action|ping|target|style)=", shown) is None


def test_structure_names_and_titles_are_kept():
    found = snapshot(
        "<title> A  shop </title><body class=x id=y><ul><li data-id=1 itemprop=name>a<li>b</ul></body>"
    )

    assert found.title == "A  shop"
    assert (
        '<body class="x" id="y"><ul><li data-id="1" itemprop="name">a</li><li>b</li></ul></body>'
        in found.html
    )


def test_styles_links_and_sheets_are_told():
    found = snapshot(
        "<link rel=stylesheet href=/a.css><link rel='alternate stylesheet' href=/b.css><link rel=stylesheet media=print href=/c.css>"
        "<style>p{background:url('x)y.png')}</style><a href=?page=2>2</a><a href=?page=2#top>2</a><a href=mailto:x>m</a>"
    )

    assert found.sheets == ["http://site/a.css"]
    assert found.links == ["http://site/shop/list?page=2"]
    assert found.css == ["p{background:none}"]


@pytest.mark.parametrize(
    "css",
    [
        "@import '//elsewhere/a.css';",
        "@import url(//elsewhere/a.css) screen;",
        "a{background:URL( '//elsewhere/a' )}",
        r"a{background:u\rl(//elsewhere/a)}",
        "a{background:image-set('//elsewhere/a' 1x)}",
        "@font-face{font-family:x;src:url(//elsewhere/a)}",
    ],
)
def test_styles_load_nothing(css):
    assert "elsewhere" not in still_css(css) or "url" not in still_css(css).lower()
    assert "import" not in still_css(css)


@given(st.text(alphabet=st.sampled_from("<>/ ='\"abonsrciptyle:url()&;-!"), max_size=200))
def test_whatever_the_markup_nothing_in_it_runs(text):
    shown = snapshot(f"<body>{text}</body>").html

    assert re.search(r"<script|<iframe|<[^>]*\son\w+=", shown, re.IGNORECASE) is None


def test_a_page_that_is_too_long_is_cut_and_says_so():
    found = snapshot("<p>" + "x" * (MOST_HTML + 10))

    assert (len(found.html), found.truncated) == (MOST_HTML, True)
