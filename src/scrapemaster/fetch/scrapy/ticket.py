"""A page's way through Scrapy: what is asked, what came, and who waits for it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

from scrapemaster.domain.errors import GiveUpPage, PageError, PostponePage
from scrapemaster.domain.page import Page
from scrapemaster.ports.engine import Link, Parse, Yielded

#: Where a request's ticket stands in its `meta`, and a link's (spelling that Scrapy made, our spelling).
TICKET = "scrapemaster"
LINK = "scrapemaster_link"
#: Requests that middlewares may put in the place of one another for one page: Scrapy's own limit of redirects.
MAX_REQUESTS = 20
#: Seconds that the work on a page may take once it is fetched. Extraction ends much earlier: who takes so long are components.
WORK_SECONDS = 300.0


class Ticket:
    """One page that somebody waits for. `parse` is what the spider's callback does with it; None when only the page is wanted.

    `page` is what was fetched, `refusal` what its status means when that is not 2xx. `ended`: the spider's output came to its end, and
    the next that the scheduler hears of the request is that all of it was worked on. `sent`: the server was asked.
    """

    __slots__ = (
        "asked",
        "brought",
        "deadline",
        "depth",
        "done",
        "ended",
        "fetching",
        "page",
        "parse",
        "refusal",
        "requests",
        "sent",
        "url",
    )

    def __init__(self, url: str, depth: int, parse: Parse | None) -> None:
        self.url = url
        self.asked = url
        self.depth = depth
        self.parse = parse
        self.page: Page | None = None
        self.refusal: PageError | None = None
        self.requests = 0
        self.sent = False
        self.brought = Yielded([], [])
        self.ended = False
        self.deadline: asyncio.TimerHandle | None = None
        self.fetching: asyncio.Task[Page] | None = None
        self.done: asyncio.Future[Yielded] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.done.done()

    def keep(self, item: Any) -> None:
        """A row as the pipelines left it."""
        self.brought.items.append(item)

    def follow(self, link: Link) -> None:
        """A request that the spider, or a middleware, made of the page."""
        self.brought.links.append(link)

    def fetched(self) -> None:
        """What came goes to the middlewares and the spider now, who must not take it for ever."""
        if self.deadline is not None:
            self.deadline.cancel()
        late = GiveUpPage(
            "scrapy_component", f"components were not done with the page after {WORK_SECONDS:g} s"
        )
        self.deadline = asyncio.get_running_loop().call_later(WORK_SECONDS, self.fail, late, "")

    def finish(self) -> None:
        """All is through."""
        if not self.over:
            self.done.set_result(self.brought)

    def fail(self, error: Exception, where: str) -> None:
        """End it; an error that is not about the page is told as one of the component at fault."""
        if self.over:
            return
        if not isinstance(error, PageError | PostponePage):
            error = GiveUpPage("scrapy_component", f"{type(error).__name__} in {where}: {error}"[:1_000])
        self.done.set_exception(error)

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        if self.deadline is not None:
            self.deadline.cancel()
        if not self.done.cancel() and not self.done.cancelled():
            self.done.exception()  # somebody has seen it
        if self.fetching is not None:
            self.fetching.cancel()


#: The page whose output is worked on; pipelines and the scheduler are told of items and requests alone.
CURRENT: ContextVar[Ticket | None] = ContextVar("scrapy_ticket", default=None)
