"""A body, parsed by whichever parser is asked for, and only then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import lxml.html
import orjson
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.domain.url import join_url
from scrapemaster.extract.encoding import as_utf8, decode

_HTML = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
_XML = frozenset({"application/xml", "text/xml"})
_JSON = frozenset({"application/json", "text/json"})

_LINKS = etree.XPath(
    # One walk: a union of three would compare all matches of one with all of another.
    "/descendant-or-self::*[self::a or self::area or "
    "(self::link and contains(concat(' ', normalize-space(@rel), ' '), ' next '))]/@href",
    smart_strings=False,
)
_BASE = etree.XPath("string(//base[@href][1]/@href)", smart_strings=False)


class Document:
    """A page's body with its URL and Content-Type header.

    `kind` is `html`, `xml`, `json` or `other`. Each parser runs at most once, when first needed. `prefer_lxml` says that
    the tree of lxml will be needed anyway, so that links are taken from it too.
    """

    def __init__(self, body: bytes, url: str, content_type: str = "", *, prefer_lxml: bool = False) -> None:
        self.url = url
        self.body = body
        self.kind = kind_of(content_type, body)
        self._content_type = content_type
        self._prefer_lxml = prefer_lxml
        self._utf8: bytes | None = None
        self._text: str | None = None
        self._lexbor: LexborHTMLParser | None = None
        self._root: Any = None
        self._json: Any = None
        self._base: str | None = None
        self._references: dict[str, list[str]] | None = None

    @property
    def text(self) -> str:
        """The body as text."""
        if self._text is None:
            self._text = decode(self.body, self._content_type)
        return self._text

    @property
    def utf8(self) -> bytes:
        """The text as parsers get it: UTF-8, without surrounding white space and NUL, as parsel does."""
        if self._utf8 is None:
            self._utf8 = as_utf8(self.body, self._content_type)
        return self._utf8

    @property
    def lexbor(self) -> LexborHTMLParser:
        """The tree as browsers build it."""
        if self._lexbor is None:
            self._lexbor = LexborHTMLParser(self.utf8)
        return self._lexbor

    @property
    def root(self) -> Any:
        """The tree as lxml builds it: the very tree that parsel works on."""
        if self._root is None:
            self._root = parse_xml(self.utf8) if self.kind == "xml" else parse_html(self.utf8)
        return self._root

    @property
    def json(self) -> Any:
        """The body as JSON; raises `GiveUpPage("bad_json")`."""
        if self._json is None:
            try:
                self._json = orjson.loads(self.utf8)
            except orjson.JSONDecodeError as error:
                raise GiveUpPage("bad_json", f"the body is not valid JSON: {str(error)[:200]}") from None
        return self._json

    @property
    def base_url(self) -> str:
        """What references on the page are relative to: its `base` element, or its own URL."""
        if self._base is None:
            reference = self._base_reference() if self.kind == "html" else ""
            self._base = (join_url(self.url, reference) if reference else None) or self.url
        return self._base

    def links(self) -> Sequence[str]:
        """References as written, in order: `a`, `area`, and `link rel=next`. Only HTML has any."""
        if self.kind != "html":
            return []
        if self._uses_lxml():
            found: list[str] = _LINKS(self.root)
            return found
        by_element = self._referring()
        return [*by_element["a"], *by_element["area"], *by_element["link"]]

    def _referring(self) -> dict[str, list[str]]:
        """References by the element that makes them, in order, off lexbor's tree: a walk for each kind takes half as long as a selector for all.

        Of `link` only those to the next page, of `base` all that have one.
        """
        if self._references is None:
            tree = self.lexbor
            self._references = {tag: _hrefs(tree.tags(tag)) for tag in ("a", "area", "base")}
            self._references["link"] = _hrefs([node for node in tree.tags("link") if _is_next(node)])
        return self._references

    def _uses_lxml(self) -> bool:
        return self._root is not None or (self._prefer_lxml and self._lexbor is None)

    def _base_reference(self) -> str:
        if self._uses_lxml():
            reference: str = _BASE(self.root)
            return reference
        return next(iter(self._referring()["base"]), "")


def _hrefs(nodes: Iterable[Any]) -> list[str]:
    found = (node.attrs.get("href") for node in nodes)
    return [href for href in found if href is not None]


def _is_next(link: Any) -> bool:
    return "next" in (link.attrs.get("rel") or "").lower().split()


def kind_of(content_type: str, body: bytes) -> str:
    """`html`, `xml`, `json` or `other`, by the media type; by the first byte where none is given."""
    media = content_type.partition(";")[0].strip().lower()
    if media in _HTML:
        return "html"
    if media in _JSON or media.endswith("+json"):
        return "json"
    if media in _XML or media.endswith("+xml"):
        return "xml"
    if media:
        return "other"
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<?xml") and b"<html" not in start.lower():
        return "xml"
    if start.startswith(b"<"):
        return "html"
    return "json" if start.startswith((b"{", b"[")) else "other"


def parse_html(utf8: bytes) -> Any:
    """Parse as parsel does, with nothing fetched."""
    parser = lxml.html.HTMLParser(recover=True, encoding="utf8", huge_tree=True, no_network=True)
    return _parsed(utf8, parser, b"<html/>")


def parse_xml(utf8: bytes) -> Any:
    """Parse as parsel does, with no entity expanded and nothing fetched."""
    parser = etree.XMLParser(
        recover=True,
        encoding="utf8",
        huge_tree=False,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
    )
    return _parsed(utf8, parser, b"<html/>")


def _parsed(utf8: bytes, parser: Any, empty: bytes) -> Any:
    try:
        root = etree.fromstring(utf8 or empty, parser)
    except etree.XMLSyntaxError as error:
        raise GiveUpPage("bad_markup", f"the body cannot be parsed: {str(error)[:200]}") from None
    return root if root is not None else etree.fromstring(empty, etree.HTMLParser())
