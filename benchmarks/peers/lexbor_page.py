"""What the peers on lexbor take from a page: rows and links, in as few steps as it goes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin

from selectolax.lexbor import LexborHTMLParser

from benchmarks.peers.order import Order, Row


class Pages:
    """Rows and the URLs that are known so far."""

    def __init__(self, order: Order) -> None:
        self.pages = 0
        self.rows: list[Row] = []
        self.known = set(order.urls)
        self._order = order

    def read(self, url: str, body: bytes) -> Iterator[str]:
        """Keep the page's rows; yields links that are new."""
        order = self._order
        tree = LexborHTMLParser(body)
        self.pages += 1
        for scope in tree.css(order.item) if order.item else (tree,):
            row: Row = {"url": url}
            for name, selector in order.fields.items():
                node = scope.css_first(selector)
                row[name] = node.text() if node else None
            self.rows.append(row)
        for href in {node.attributes.get("href") or "" for node in tree.css("a")}:
            link = urldefrag(urljoin(url, href)).url
            if link not in self.known and link.startswith(order.prefix):
                self.known.add(link)
                yield link
