"""A page's body to rows and links: the same work in the crawler and in an isolated process."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from scrapemaster.domain.errors import GiveUpPage
from scrapemaster.extract.plan import Plan

#: Bytes of all rows of one page, encoded.
MAX_PAGE_ITEMS_BYTES = 64 * 1024 * 1024
#: Links of one page that are followed; a page with more of them is made by a machine for machines.
MAX_PAGE_LINKS = 50_000


class Found(msgspec.Struct, array_like=True):
    """What a page yielded. `items` are encoded; `links` as they stand there, at most `MAX_PAGE_LINKS` of `links_seen`."""

    items: list[bytes]
    items_failed: int
    fill: dict[str, int]
    base_url: str
    links: list[str]
    links_seen: int


def work_on(plan: Plan, body: bytes, url: str, content_type: str, *, links: bool) -> Found:
    """The rows of a page, and its links if they are wanted. Raises `GiveUpPage`."""
    document = plan.open(body, url, content_type)
    if document.kind == "other":
        kind = content_type.partition(";")[0].strip().lower() or "no content type"
        raise GiveUpPage("not_html", f"the body is {kind}, which has no fields")
    extraction = plan.extract(document)
    items, size = [], 0
    for item in extraction.items:
        encoded = encode_item(item)
        size += len(encoded)
        if size > MAX_PAGE_ITEMS_BYTES:
            raise too_large()
        items.append(encoded)
    found = document.links() if links else ()
    return Found(
        items,
        extraction.items_failed,
        dict(extraction.fill),
        document.base_url if links else url,
        list(found[:MAX_PAGE_LINKS]),
        len(found),
    )


def too_large() -> GiveUpPage:
    """The failure of a page that yields too much."""
    return GiveUpPage(
        "item_too_large", f"the page's items have more than {MAX_PAGE_ITEMS_BYTES:,} bytes together"
    )


def encode_item(item: dict[str, Any]) -> bytes:
    """An item as JSON. Lone surrogates (legal in scraped JSON, not in UTF-8) become U+FFFD."""
    try:
        return orjson.dumps(item, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(_cleaned(item), option=orjson.OPT_NON_STR_KEYS, default=str)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {_cleaned(str(key)): _cleaned(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_cleaned(inner) for inner in value]
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case _:
            return value
