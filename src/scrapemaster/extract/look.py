"""What a plain page shows of what a browser would make of it: whether scripts run, which pages are alike, and what seems unfinished.

A page without scripts pays for a few searches in its bytes. One with scripts pays for a look at their tags; only one with hardly a link is read as text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b

import re2

from scrapemaster.domain.escalation import Reason, Signs, suspicion_of
from scrapemaster.domain.page import Page
from scrapemaster.extract.barrier import shell_of, text_of_source
from scrapemaster.extract.document import kind_of
from scrapemaster.extract.encoding import decode

#: Bytes of a page that are searched for scripts, script tags looked at, and bytes of each.
_WITHIN = 512 * 1024
_MOST_TAGS = 60
_TAG_BYTES = 400
#: Pages with more links than this have something to show.
_FEW_LINKS = 2
#: Characters of text that a shell has at most, and bytes of a page that may be one.
_SHELL_TEXT = 200
_SHELL_BYTES = 64 * 1024
#: Rows of a page that are looked at, and bytes of each.
_ROWS, _ROW_BYTES = 20, 8_192

#: Types of scripts that run (https://html.spec.whatwg.org/#prepare-the-script-element); others are data.
_TYPE = re.compile(rb"""(?i)\stype\s*=\s*["']?([^"'\s>;]*)""")
_RUNS = frozenset(
    b"module text/javascript application/javascript application/x-javascript text/ecmascript application/ecmascript".split()
) | {b""}
_SOURCE = re.compile(rb"""(?i)\ssrc\s*=\s*["']?([^"'\s>?#]+)""")
_ID = re.compile(rb"""(?i)\sid\s*=\s*["']?([^"'\s>]+)""")
#: What else makes a browser do something by itself, within so many bytes.
_ALIVE = ((b"onload=", 64 * 1024), (b'http-equiv="refresh"', 8_192), (b"http-equiv=refresh", 8_192))
#: Bytes within which a page that shouts its tags has its first script.
_SHOUTING = 8_192
#: Elements that applications are put into.
_APPLICATION = re.compile(
    r"<(?:app-root|(?:div|main)\b[^<>]*\bid=[\"']?(?:root|app|application|__next|__nuxt|___gatsby|svelte|react-root|q-app)[\"'\s>])",
    re.IGNORECASE,
)
#: Values that stand for others: what shows while something loads, and templates that nothing has filled in. As they stand in encoded rows.
_STAND_INS = re2.compile(
    r'(?i)[:\[,]"\s*(?:(?:loading|please wait|fetching|updating)(?: [\w ]{1,30})?\s*(?:\.{2,3}|…)?|'
    r'\.{2,3}|…|\?{1,3}|[$€£¥]?\s*[-–—_]{1,3}(?:[.,][-–—_]{1,2})?|[█▒░]+)\s*"|\{\{[^{}"]{1,80}\}\}|<%=?[^%"]{1,80}%>'
)


def signs_of(page: Page, rows: Sequence[bytes], empty: Collection[str]) -> Signs:
    """What a plain page shows, of which there are these rows; `empty` are the fields that no row has a value for."""
    body = page.body
    if kind_of(page.headers.get("content-type", ""), body) != "html":
        return Signs("")
    scripts = list(_scripts(body))
    if not scripts and all(body.find(mark, 0, within) < 0 for mark, within in _ALIVE):
        return Signs("")
    suspicions = []
    bare = _is_bare(body)
    if bare and is_shell(page):
        suspicions.append(Reason.SCRIPT_SHELL)
    if any(
        _STAND_INS.search(row[:_ROW_BYTES].decode("utf-8", "replace")) is not None for row in rows[:_ROWS]
    ):
        suspicions.append(Reason.PLACEHOLDERS)
    if empty or not rows:
        suspicions.append(Reason.FIELDS_EMPTY)
    suspicion = suspicion_of(suspicions)
    mark = blake2b(b"\n".join(scripts), digest_size=6)
    mark.update(f"\n{suspicion}\n{bare}\n{sorted(empty)}".encode("utf-8", "replace"))
    return Signs(mark.hexdigest(), scripts=True, suspicion=suspicion)


def is_shell(page: Page) -> bool:
    """Whether a page has hardly anything to show but the place that scripts fill."""
    if shell_of(page) is not None:
        return True
    if next(_scripts(page.body), None) is None:
        return False
    if len(page.body) > _SHELL_BYTES:
        return False
    source = decode(page.body, page.headers.get("content-type", ""))
    return _APPLICATION.search(source) is not None and len(text_of_source(source)) <= _SHELL_TEXT


def _scripts(body: bytes) -> Iterator[bytes]:
    """The scripts of a page that run, each by what it has in common with the same one on other pages: its address, or its `id`."""
    at, opening = 0, b"<script"
    if body.find(b"<SCRIPT", 0, _SHOUTING) >= 0:
        opening = b"<SCRIPT"
    for _ in range(_MOST_TAGS):
        at = body.find(opening, at, _WITHIN)
        if at < 0:
            return
        tag = body[at : at + _TAG_BYTES].partition(b">")[0] + b">"
        at += 7
        kind = _TYPE.search(tag)
        if kind is not None and kind.group(1).lower() not in _RUNS:
            continue
        name = _SOURCE.search(tag) or _ID.search(tag)
        yield name.group(1) if name is not None else b"inline"


def _is_bare(body: bytes) -> bool:
    """Whether a page has hardly a link."""
    at = 0
    for _ in range(_FEW_LINKS + 1):
        at = body.find(b"<a ", at) + 1
        if not at:
            return True
    return False
