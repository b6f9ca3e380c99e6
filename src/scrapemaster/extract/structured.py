"""What pages say about themselves: title, canonical URL, JSON-LD, microdata, OpenGraph."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from lxml import etree

from scrapemaster.domain.url import join_url
from scrapemaster.extract.document import Document

_TITLE = etree.XPath("string(//title[1])", smart_strings=False)
_CANONICAL = etree.XPath(
    "string(//link[contains(concat(' ', normalize-space(@rel), ' '), ' canonical ')][1]/@href)",
    smart_strings=False,
)
_DESCRIPTION = etree.XPath("string(//meta[@name='description'][1]/@content)", smart_strings=False)


@cache
def _extractors() -> tuple[Any, Any, Any]:
    """JSON-LD, microdata and OpenGraph; loaded when a page is first asked about itself, as that takes a third of a second."""
    with warnings.catch_warnings():
        # Its RDFa part warns at import of things that are its own affair; we do not use it.
        warnings.simplefilter("ignore")
        from extruct.jsonld import JsonLdExtractor  # noqa: PLC0415 -- heavy, and only jobs without selectors need it
        from extruct.opengraph import OpenGraphExtractor  # noqa: PLC0415 -- as above
        from extruct.w3cmicrodata import MicrodataExtractor  # noqa: PLC0415 -- as above
    return JsonLdExtractor(), MicrodataExtractor(), OpenGraphExtractor()


def structured_item(document: Document) -> dict[str, Any]:
    """The item of a page for which no selectors were given; without the fields that the page does not have."""
    if document.kind == "json":
        return {"json": document.json}
    root = document.root
    canonical = _CANONICAL(root).strip()
    json_ld, microdata, opengraph = _extractors()
    item: dict[str, Any] = {
        "title": " ".join(_TITLE(root).split()),
        "canonical_url": (join_url(document.base_url, canonical) if canonical else None) or document.url,
        "description": _DESCRIPTION(root).strip(),
        "json_ld": _quietly(lambda: json_ld.extract_items(root, base_url=document.base_url)),
        "microdata": _quietly(lambda: list(microdata.extract_items(root, base_url=document.base_url))),
        "opengraph": _opengraph(opengraph, root),
    }
    return {name: value for name, value in item.items() if value}


def _opengraph(opengraph: Any, root: Any) -> dict[str, Any]:
    """OpenGraph properties; a repeated one gives a list."""
    found: dict[str, Any] = {}
    for part in _quietly(lambda: list(opengraph.extract_items(root))):
        for name, value in part.get("properties", []):
            if name in found:
                found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
            else:
                found[name] = value
    return found


def _quietly(extract: Any) -> Any:
    """What an extractor finds; nothing where the page's own data break it."""
    try:
        return extract()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
