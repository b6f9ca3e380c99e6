"""A site that is crawled, and what a whole and correct crawl of it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Self

#: What all crawlers ask of a page that is a row.
PAGE_FIELDS: Mapping[str, str] = {"title": "title", "h2": "h2"}


@dataclass(frozen=True)
class Tally:
    """So many rows, and the sum of their hashes: equal for equal rows in any order, and not for lost, doubled or other ones.

    A row is hashed by its page's URL and the text of its first field, with white space as HTML shows it.
    """

    rows: int
    digest: str

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str | None]]) -> Self:
        """Count and add up URL and text of each row."""
        count = total = 0
        for url, text in rows:
            spelling = f"{url}\t{' '.join((text or '').split())}"
            total += int.from_bytes(blake2b(spelling.encode(), digest_size=16).digest())
            count += 1
        return cls(count, f"{total % (1 << 128):032x}")


@dataclass(frozen=True)
class Site:
    """`prefix`: what every URL of it begins with. `item`: a CSS selector of the elements that are a row each; None where the page is one.

    `fields`: name → CSS selector of an element whose own text is wanted; the first of them is in the tally. `pages` are those that
    a crawl fetches and reads, `mean_bytes` their mean size, `sample` the paths of some of them on the first host.
    """

    name: str
    urls: list[str]
    prefix: str
    pages: int
    mean_bytes: float
    tally: Tally
    sample: Sequence[str] = ()
    item: str | None = None
    fields: Mapping[str, str] = field(default_factory=lambda: dict(PAGE_FIELDS))

    @property
    def selectors(self) -> dict[str, str]:
        """The fields as a job's selectors."""
        return {name: f"{selector}::text" for name, selector in self.fields.items()}
