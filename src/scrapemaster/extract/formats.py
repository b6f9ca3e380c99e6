"""What of a page is kept as a whole: its Markdown, its source, its links, what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scrapemaster.domain.url import join_url
from scrapemaster.extract.document import Document
from scrapemaster.extract.structured import structured_item

#: The format that is the selectors' own.
DATA = "data"
#: Links of a page that are listed.
_MOST_LINKS = 50_000


def _links(document: Document) -> list[str]:
    """The links of a page, absolute, each once, in the order in which they stand there."""
    found: dict[str, None] = {}
    for reference in document.links():
        if (url := join_url(document.base_url, reference)) is not None:
            found[url] = None
            if len(found) >= _MOST_LINKS:
                break
    return list(found)


def _markdown(document: Document) -> str:
    from scrapemaster.extract.markdown import markdown_of  # noqa: PLC0415 -- heavy, and seldom asked for

    return markdown_of(document) if document.kind == "html" else ""


_FORMATS: Mapping[str, Callable[[Document], Any]] = {
    "markdown": _markdown,
    "html": lambda document: document.text,
    "links": _links,
    "structured": structured_item,
}
#: Those that take long on a large page.
SLOW = frozenset({"markdown"})


def whole_page(document: Document, formats: Sequence[str]) -> dict[str, Any]:
    """The formats asked for, under their names, without those of which the page has nothing."""
    kept = {name: _FORMATS[name](document) for name in formats if name != DATA}
    return {name: value for name, value in kept.items() if value}
