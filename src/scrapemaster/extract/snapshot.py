"""A page as it may be looked at: nothing in it runs, and nothing is asked of anybody when it is shown.

Pure: bytes to text. Whoever shows it keeps a second line of defence, a sandboxed frame that may load nothing.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from scrapemaster.domain.url import join_url
from scrapemaster.extract.document import Document

#: Characters of a page's source and of its style sheets that are shown at most.
MOST_HTML = 4_000_000
MOST_CSS = 1_000_000
#: Style sheets and links named at most.
_SHEETS = 16
_LINKS = 200
#: Attributes kept under a name that means nothing to browsers.
MOVED = "data-sm-"

#: Elements that run, load, or show other documents; with all that is in them.
_REMOVED = (
    "script, noscript, template, iframe, frame, frameset, object, embed, applet, portal, fencedframe, base, meta, link, style, "
    "svg foreignObject, svg use, svg image, svg animate, svg set, svg feImage, math"
)
#: Attributes that load something or tell what would be loaded; their values are kept aside, as selectors may ask for them.
_MOVED_NAMES = frozenset(
    "src srcset poster background data lowsrc dynsrc imagesrcset longdesc cite icon manifest style".split()
)
_DROPPED_NAMES = frozenset(
    "action formaction ping srcdoc autofocus target download http-equiv nonce integrity crossorigin is slot popover accesskey "
    "popovertarget commandfor command contenteditable".split()
)
_NAME = re.compile(r"[a-zA-Z][\w:.-]*")
_URL = re.compile(r"url\(\s*(?:\"[^\"]*\"|'[^']*'|[^)]*)\s*\)", re.IGNORECASE)
_IMPORT = re.compile(r"@(?:import|namespace|charset)[^;]*;?", re.IGNORECASE)
_FONT = re.compile(r"@font-face\s*\{[^}]*\}", re.IGNORECASE)
_IMAGE_SET = re.compile(r"(?:-webkit-)?image-set\([^)]*\)|\bsrc\(", re.IGNORECASE)


class Snapshot(msgspec.Struct, array_like=True):
    """A page to look at. `css` are the styles written in it, `sheets` the style sheets it names, `links` those to pages, each absolute and once."""

    title: str
    html: str
    css: list[str]
    sheets: list[str]
    links: list[str]
    truncated: bool


def snapshot_of(document: Document) -> Snapshot:
    """The snapshot of an HTML document."""
    tree = document.lexbor
    base = document.base_url
    title = tree.css_first("title")
    css = [still_css(node.text(deep=True)) for node in tree.css("style")]
    sheets = _absolute(
        base,
        (
            node.attributes.get("href")
            for node in tree.css("link[href]")
            if _is_sheet(node.attributes.get("rel"), node.attributes.get("media"))
        ),
        _SHEETS,
    )
    links = _absolute(base, document.links(), _LINKS)
    name = title.text(strip=True)[:500] if title is not None else ""
    for node in tree.css(_REMOVED):
        node.decompose()
    root = tree.root
    odd = [] if root is None else [node for node in root.traverse() if _is_odd(node)]
    for node in odd:
        node.decompose()
    if root is not None:
        for node in root.traverse():
            if node.is_element_node:
                _still(node)
    html = tree.html or ""
    return Snapshot(name, html[:MOST_HTML], css, sheets, links, len(html) > MOST_HTML)


def still_css(text: str) -> str:
    """Styles that load nothing."""
    if len(text) > MOST_CSS:
        return ""
    # An escape could write url() so that it is not seen (CSS Syntax, 4.3.7); styles that need one are rare.
    text = _FONT.sub("", _IMPORT.sub("", text.replace("\\", "")))
    return _IMAGE_SET.sub("none", _URL.sub("none", text))


def _is_odd(node: Any) -> bool:
    """Whether an element's name is none that HTML or a custom element has: `<script<>` makes one."""
    return node.is_element_node and _NAME.fullmatch(node.tag) is None


def _still(node: Any) -> None:
    attributes = node.attrs
    for name in list(attributes):
        lower = name.lower()
        if lower in _MOVED_NAMES:
            value = attributes[name] or ""
            del attributes[name]
            attributes[f"{MOVED}{lower}"] = still_css(value) if lower == "style" else value
        elif lower.startswith("on") or lower in _DROPPED_NAMES:
            del attributes[name]
        elif lower.rpartition(":")[2] == "href" and not (
            node.tag in {"a", "area"} and _is_web(attributes[name])
        ):
            value = attributes[name] or ""
            del attributes[name]
            attributes[f"{MOVED}href"] = value


def _is_web(reference: str | None) -> bool:
    scheme, colon, _ = (reference or "").strip().lower().partition(":")
    return not colon or scheme in {"http", "https"} or not re.fullmatch(r"[a-z\s][a-z0-9+.\s-]*", scheme)


def _is_sheet(rel: str | None, media: str | None) -> bool:
    words = (rel or "").lower().split()
    return "stylesheet" in words and "alternate" not in words and "print" not in (media or "").lower()


def _absolute(base: str, references: Any, most: int) -> list[str]:
    found: dict[str, None] = {}
    for reference in references:
        if reference and (url := join_url(base, reference)) is not None:
            found.setdefault(url.partition("#")[0])
            if len(found) >= most:
                break
    return list(found)
