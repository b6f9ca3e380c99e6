"""Pages that are none are recognised, and pages that speak of such are left alone."""

from pathlib import Path

import pytest
from barriers import BARRIERS, PAGES

from scrapemaster.domain.page import Page
from scrapemaster.extract.barrier import EVIDENCE_TEXT, barrier_of, evidence_of, shell_of

MANUALS = [
    Path("/usr/share/doc/python3.11/html"),
    Path("/usr/share/doc/git/html"),
    Path("/usr/share/doc/sqlite3"),
]
SAMPLE = 400


def page(body, status=200, headers=None, url="http://site/p", kind="text/html; charset=utf-8"):
    data = body.encode() if isinstance(body, str) else body
    return Page(url, status, {"content-type": kind, **(headers or {})}, data, 0.0, 0.0)


@pytest.mark.parametrize("name", BARRIERS)
def test_H22_a_barrier_is_recognised(name):
    reason, status, headers, body = BARRIERS[name]

    found = barrier_of(page(body, status, headers), "http://site/p")

    assert found is not None
    assert found.reason == reason


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("thorough", [False, True])
def test_H22_a_page_that_speaks_of_barriers_is_none(name, thorough):
    assert barrier_of(page(PAGES[name]), "http://site/p", thorough=thorough) is None


def test_H22_no_page_of_real_manuals_is_taken_for_a_barrier():
    files = [file for folder in MANUALS for file in sorted(folder.rglob("*.html"))]
    assert len(files) > SAMPLE
    wrong = []
    for file in files[:: len(files) // SAMPLE]:
        manual = page(file.read_bytes())
        wrong += [
            (file, found)
            for found in (barrier_of(manual), barrier_of(manual, thorough=True), shell_of(manual))
            if found is not None
        ]

    assert wrong == []


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/pdf", "application/xml"])
def test_H22_only_html_is_judged(kind):
    for _, _, _, body in BARRIERS.values():
        assert barrier_of(page(body, kind=kind), thorough=True) is None


def test_H22_a_redirect_to_a_login_form_is_a_login_wall_and_a_login_page_asked_for_is_none():
    body = "<title>Welcome</title><form><input type='password'></form>"

    walled = barrier_of(page(body, url="http://site/login?next=/p"), "http://site/p")
    asked = barrier_of(page(body, url="http://site/login"), "http://site/login")

    assert walled is not None
    assert walled.reason == "login_wall"
    assert asked is None


@pytest.mark.parametrize(
    ("body", "shell"),
    [
        ("<title>App</title><div id='root'></div><script src='/app.js'></script>", True),
        ("<title>App</title><noscript>You need to enable JavaScript to run this app.</noscript><script>1</script>", True),
        ("<title>App</title><app-root></app-root><script src='/main.js'></script>", True),
        ("<title>App</title><div id='root'></div>", False),
        ("<title>Text</title><div id='ad'></div><script></script><p>" + "words " * 100, False),
        ("<div></div><script></script><a href=1>1</a><a href=2>2</a><a href=3>3</a>", False),
    ],
)  # fmt: skip
def test_H22_an_empty_shell_for_scripts_is_recognised(body, shell):
    assert (shell_of(page(body)) is not None) is shell


def test_H22_evidence_is_bounded_and_readable():
    big = page("<title>" + "T" * 9_000 + "</title><script>no</script><p>" + "word \0 " * 9_000)
    found = barrier_of(page(BARRIERS["akamai"][3]))

    evidence = evidence_of(big, found)

    assert evidence["mark"] == "Akamai block"
    assert len(evidence["title"]) <= 200
    assert len(evidence["text"]) <= EVIDENCE_TEXT
    assert "no" not in evidence["text"].split()
    assert "\0" not in evidence["text"]


@pytest.mark.parametrize("body", ["<script" * 9_000, "<title" * 9_000, "<!--" * 9_000, "<div " * 9_000, "<noscript>" * 5_000, "<!doctype " * 200])  # fmt: skip
def test_H17_hostile_markup_does_not_slow_the_judgement_down(body):
    for text in ("<title>Access denied</title>" + body, body[:2_000]):
        barrier_of(page(text), thorough=True)
        shell_of(page(text + "<script>"))
        evidence_of(page(text), barrier_of(page("")))
