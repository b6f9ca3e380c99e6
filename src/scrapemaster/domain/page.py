"""What came back for a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scrapemaster.domain.barrier import Barrier
from scrapemaster.domain.rendering import Capture


@dataclass(slots=True)
class Page:
    """A fetched page.

    `url` is the final URL, after `redirects` (the URLs that led there, in order). `headers` have
    lower-case names; repeated ones are joined by `, `. `body` is decompressed, at most
    `max_body_bytes`; of a page that a browser rendered it is the document as it was in the end. `elapsed` is the seconds spent
    asking servers, without the wait for a turn; `fetched_at` is in epoch seconds. `captures` are pictures and documents that a browser made of it.
    `judged`: which URL was asked for when it was looked at, and what it is instead, if anything.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float
    fetched_at: float
    redirects: tuple[str, ...] = ()
    engine: str = "http"
    captures: Sequence[Capture] = ()
    judged: tuple[str, Barrier | None] | None = field(default=None, repr=False, compare=False)

    @property
    def content_type(self) -> str:
        """The media type without its parameters, lower-case; empty when the server named none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()
