"""The port to engines, which drive pages for a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.page import Page


class PageSource(Protocol):
    """One job's way to its pages. Made by an `Engine`, used by slices, closed when the job rests."""

    async def fetch(self, url: str) -> Page:
        """Fetch a normal URL under the job's config, egress policy and robots rules.

        Follows redirects, each hop vetted. Returns a page of any 2xx status; every other end is a `RetryPage`
        or `GiveUpPage` with its reason code, or `PostponePage` when it cannot be asked for now. Takes no longer than the job's
        `timeout` for each proxy it is tried over, plus the wait for its turn: its host's throttle, a free browser. Cancelling the call
        frees everything it held.
        """

    def ready_at(self, url: str) -> float:
        """When (monotonic seconds) the throttle would let this URL's host be asked next; 0 if now."""

    async def sitemap_urls(self, url: str, limit: int) -> list[str]:
        """Page URLs from the sitemaps that the site of `url` names in robots.txt, or `/sitemap.xml`."""

    async def close(self) -> None:
        """Free connections; twice is no error."""


@runtime_checkable
class RenderingSource(PageSource, Protocol):
    """A job's two ways to its pages: `fetch` brings them as their server sends them, `render` as a browser shows them."""

    @property
    def lacking(self) -> str | None:
        """Why nothing can be rendered here, as a sentence that says what to do; None when it can."""

    async def render(self, url: str) -> Page:
        """As `fetch`, under the same rules and over the same sessions, by a browser."""


class Link(NamedTuple):
    """A request that a page leads to. Its URL is normal where we found it, and as it was written where somebody else's code did."""

    url: str
    depth: int
    priority: int = 0


@dataclass(slots=True)
class Yielded:
    """What work on a page brought: rows, as JSON objects, and links."""

    items: list[Any]
    links: list[Link]


class Parse(Protocol):
    """What a job does with a page; raises the `PageError` that the page turns out to be."""

    async def __call__(self, page: Page) -> Yielded:
        """Its rows and links."""


@runtime_checkable
class Spidering(PageSource, Protocol):
    """A page source that stands around the work on pages too, so that its components may change what a page brings."""

    async def spider(self, url: str, depth: int, parse: Parse) -> Yielded:
        """Fetch as `fetch` does, have `parse` work on the page, and return what is left of what that brought, in order.

        Raises what `fetch` and `parse` raise. Cancelling the call frees everything it held.
        """


class Engine(Protocol):
    """Makes page sources; one for the whole process."""

    name: str

    def check(self) -> None:
        """Raise a `UserError` that says what to do when the engine cannot work here; cheap."""

    def accept(self, config: JobConfig) -> None:
        """Raise a `UserError` when a job asks for what is not allowed here; cheap. `open` does so too."""

    def open(self, job: Job) -> PageSource:
        """A page source for the job; does no I/O."""

    async def close(self) -> None:
        """Free all the engine holds; twice is no error."""
