"""A catalogue: pages of many items each, which link to each other and to nothing else."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

from benchmarks.manual_server import nginx
from benchmarks.website import Site, Tally

ITEMS = 48
_WORDS = "steel walnut linen compact travel everyday ceramic handmade outdoor kitchen garden lamp chair kettle bottle".split()
FIELDS = {"name": "a.name", "price": "span.price", "sku": "span.sku", "text": "p.text"}


def _item(number: int, chance: random.Random) -> tuple[str, str]:
    """The name of an item, and its part of the page: some 550 bytes."""
    name = f"{' '.join(chance.choices(_WORDS, k=4)).capitalize()} {number}"
    text = " ".join(chance.choices(_WORDS, k=24))
    return name, (
        f'<div class="product card"><div class="picture"><img src="/p/{number}.jpg" alt="{escape(name)}" width="200" height="200"></div>'
        f'<h3><a class="name" href="https://shop.example/{number}">{escape(name)}</a></h3>'
        f'<div class="buy"><span class="price">{chance.uniform(1, 500):.2f}</span> <span class="sku">SM-{number:08d}</span></div>'
        f'<p class="text">{text}</p></div>\n'
    )


@contextmanager
def catalogue(pages: int, core: int | None = None) -> Iterator[Site]:
    """Serve so many pages of `ITEMS` items. Each page links to the five before and after it."""
    chance = random.Random(pages)
    rows: list[tuple[str, str]] = []
    size = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        for page in range(pages):
            items = [_item(page * ITEMS + place, chance) for place in range(ITEMS)]
            near = range(max(0, page - 5), min(pages, page + 6))
            links = "".join(f'<a href="/{other}.html">{other + 1}</a> ' for other in near)
            body = (
                f'<!doctype html><html><head><meta charset="utf-8"><title>Page {page + 1}</title></head><body><h1>Catalogue</h1>'
                f"<main>{''.join(part for _, part in items)}</main><nav>{links}</nav></body></html>"
            )
            (root / f"{page}.html").write_text(body)
            size += len(body)
            rows += [(f"/{page}.html", name) for name, _ in items]
        with nginx(root, core) as base:
            yield Site(
                f"catalogue of {pages:,} pages of {ITEMS} items",
                [f"{base}/0.html"],
                f"{base}/",
                pages,
                size / pages,
                Tally.of((f"{base}{path}", name) for path, name in rows),
                [f"/{page}.html" for page in range(pages)],
                item="div.product",
                fields=FIELDS,
            )
