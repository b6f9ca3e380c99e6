"""Pages as Markdown, by markdownify over the tree that parsel works on."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup, Tag
from lxml import etree
from markdownify import MarkdownConverter

from scrapemaster.domain.url import join_url
from scrapemaster.extract.document import Document

#: Elements that readers do not see.
_UNSEEN = ["script", "style", "noscript", "template", "svg", "head", "iframe", "object"]
_REFERENCES = (("a", "href"), ("img", "src"))
_BLANK_LINES = re.compile(r"\n{3,}")
_TEXT = etree.XPath(
    "//body//text()[not(ancestor::script or ancestor::style or ancestor::noscript)]", smart_strings=False
)


def markdown_of(document: Document) -> str:
    """What a reader sees of an HTML page, with ATX headings and absolute links; its mere text where it nests too deep."""
    try:
        soup = BeautifulSoup(document.utf8, "lxml", from_encoding="utf-8")
        for unseen in soup.find_all(_UNSEEN):
            unseen.decompose()
        for tag, attribute in _REFERENCES:
            for element in soup.find_all(tag):
                _make_absolute(element, attribute, document.base_url)
        text = _converter().convert_soup(soup).strip()
    except RecursionError:
        text = ""
    if not text:
        # Its parser gives up where elements nest more than some hundred deep.
        text = "\n\n".join(" ".join(part.split()) for part in _TEXT(document.root) if part.strip())
    return _BLANK_LINES.sub("\n\n", text).strip()


def _converter() -> Any:
    return MarkdownConverter(heading_style="ATX", bullets="-")


def _make_absolute(element: Tag, attribute: str, base: str) -> None:
    reference = element.get(attribute)
    if isinstance(reference, str) and (url := join_url(base, reference)) is not None:
        element[attribute] = url
