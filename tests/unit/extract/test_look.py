import pytest

from scrapemaster.domain.escalation import Reason, Signs
from scrapemaster.domain.page import Page
from scrapemaster.extract.look import is_shell, signs_of

LINKS = "<a href=/1>one</a><a href=/2>two</a><a href=/3>three</a>"
TEXT = "<p>" + "There is something to read here. " * 12


def page(body, kind="text/html"):
    return Page("http://h/", 200, {"content-type": kind}, body.encode(), 0.1, 0.0)


def signs(body, row='{"a":"b"}', empty=(), kind="text/html"):
    return signs_of(page(body, kind), [row.encode()], empty)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<p>text</p>", "text/html"),
        ("<script type='application/ld+json'>{}</script>" + TEXT, "text/html"),
        ('<script id=s type="text/template"><p>{{x}}</p></script>' + TEXT, "text/html"),
        ('{"script": "<script>"}', "application/json"),
        ("<r><script>1</script></r>", "application/xml"),
    ],
)
def test_a_page_without_a_script_that_runs_has_no_look(body, kind):
    assert signs(body, kind=kind, empty=["a"]) == Signs("")


@pytest.mark.parametrize(
    "script",
    ["<script>1</script>", "<SCRIPT SRC=a.js></SCRIPT>", "<script type=module src=a.js>", "<script type='text/javascript'>",
     '<script type="">1', "<body onload=start()>", '<meta http-equiv="refresh" content="0;url=/x">'],
)  # fmt: skip
def test_what_makes_a_browser_act_is_seen(script):
    assert signs(script + LINKS + TEXT).scripts


@pytest.mark.parametrize(
    ("value", "waits"),
    [("Loading…", True), ("Loading...", True), ("loading", True), ("Please wait", True), ("Loading the price…", True), ("…", True), ("—", True),
     ("€ --", True), ("$--.--", True), ("{{ item.name }}", True), ("<%= name %>", True), ("???", True), ("Loading dock No. 5, by the river", False),
     ("-5", False), ("€5.--.", False), ("a — b", False), ("{}", False), ("12", False), ("", False)],
)  # fmt: skip
def test_values_that_stand_for_others_are_known(value, waits):
    found = signs(LINKS + TEXT + "<script>1</script>", f'{{"n":1,"a":"{value}"}}')

    assert found.suspicion == (Reason.PLACEHOLDERS if waits else None)


@pytest.mark.parametrize(
    ("body", "shell"),
    [
        ("<div id=root></div><script src=/a.js></script>", True),
        ("<div id='app'><p>Loading</p></div><script src=/a.js></script>", True),
        ("<app-root><span>…</span></app-root><script type=module src=/a.js></script>", True),
        (f"<div id=root>{TEXT}</div><script src=/a.js></script>", False),
        ("<div id=rooted><p>Hello</p></div><script src=/a.js></script>", False),
        ("<div id=root><p>Hello</p></div>", False),
    ],
)
def test_shells_are_known_with_and_without_something_in_them(body, shell):
    assert is_shell(page(body)) is shell
    assert (signs(body).suspicion is Reason.SCRIPT_SHELL) is shell


def test_pages_are_alike_that_have_the_same_scripts_and_lack_the_same_fields():
    one = signs(LINKS + TEXT + "<script src='/app.js?v=1'></script><script>var n=1</script>")
    like = signs(LINKS + TEXT * 2 + "<script src='/app.js?v=2'></script><script>var n=2</script>")
    other = signs(LINKS + TEXT + "<script src='/shop.js'></script>")
    less = signs(LINKS + TEXT + "<script src='/app.js'></script><script>1</script>", empty=["a"])

    assert one == like
    assert len({one.look, other.look, less.look}) == 3
