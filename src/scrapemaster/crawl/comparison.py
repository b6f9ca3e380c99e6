"""Whether rendering changed what a page yields: a pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from scrapemaster.crawl.extraction import Found
from scrapemaster.domain.url import join_url

#: The format that is a page's source, which differs wherever a script touched it.
_SOURCE = "html"


def changed(plain: Found, rendered: Found, again: Found | None = None) -> bool:
    """Whether rendering changed a page's rows, or brought links that the plain page does not have.

    Rows that are only there plainly are no gain, and so count as unchanged. `again`: what a second plain request yielded; values in which the
    two differ change by themselves (times, advertisements), and are not compared.
    """
    if not rendered.items and plain.items:
        return False
    if _links(rendered) - _links(plain):
        return True
    if again is None:
        return plain.items != rendered.items and _rows(plain) != _rows(rendered)
    if len(again.items) != len(plain.items):
        return not plain.items and bool(rendered.items)
    if len(rendered.items) != len(plain.items):
        return True
    return any(
        first.get(name) == second.get(name) != third.get(name)
        for first, second, third in zip(_rows(plain), _rows(again), _rows(rendered), strict=True)
        for name in first.keys() | third.keys()
    )


def _rows(found: Found) -> Sequence[dict[str, Any]]:
    rows = [orjson.loads(item) for item in found.items]
    for row in rows:
        row.pop(_SOURCE, None)
    return rows


def _links(found: Found) -> set[str]:
    return {url for link in found.links if (url := join_url(found.base_url, link)) is not None}
