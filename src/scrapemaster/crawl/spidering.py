"""One page through a source that stands around the work on it too, from lease to outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from scrapemaster.crawl.extraction import MAX_PAGE_ITEMS_BYTES, encode_item, too_large
from scrapemaster.crawl.process import PageWork
from scrapemaster.crawl.run import Run
from scrapemaster.crawl.verdict import check_poison
from scrapemaster.domain.errors import GiveUpPage, PageError
from scrapemaster.domain.outcome import Outcome
from scrapemaster.domain.page import Page
from scrapemaster.domain.request import Leased, NewRequest, bounded_priority
from scrapemaster.extract.fill import Filled
from scrapemaster.ports.engine import Link, Spidering, Yielded


async def _brought(page: Page, _: str) -> Page:
    """A page that is there already."""
    return page


class SpideringWork:
    """Works on the pages of one run, whose source's components may change what a page brings.

    Without components the outcomes are those of `work`.
    """

    def __init__(self, run: Run, source: Spidering, work: PageWork) -> None:
        self._run = run
        self._source = source
        self._work = work
        self._selectors = run.job.selectors
        self._filled = Filled(self._selectors)

    async def work(self, leased: Leased) -> Outcome:
        """The outcome of one request. Raises only what is a fault of ours."""
        pages: list[Page] = []
        plain: list[Outcome] = []

        async def parse(page: Page) -> Yielded:
            pages.append(page)
            attempt = await self._work.attempt(leased, partial(_brought, page))
            if attempt.error is not None:
                raise attempt.error
            outcome = await self._work.outcome(leased, attempt)
            plain.append(outcome)
            return Yielded(
                [orjson.loads(item) for item in outcome.items],
                [Link(link.url, link.depth, link.priority) for link in outcome.links],
            )

        try:
            check_poison(leased)
            brought = await self._source.spider(leased.url, leased.depth, parse)
            if not plain:
                raise GiveUpPage("scrapy_dropped", "a component of Scrapy kept the page from being worked on")
            return self._changed(leased, plain[-1], brought)
        except PageError as error:
            error.elapsed = max([error.elapsed, *(page.elapsed for page in pages)])
            return self._work.failure(leased, error)

    def _changed(self, leased: Leased, plain: Outcome, brought: Yielded) -> Outcome:
        """The outcome with the rows and links that are left of it."""
        links = self._onward(leased, plain.links, brought.links)
        items = [encode_item(item) for item in brought.items]
        if items == plain.items:
            return replace(plain, links=links)
        if sum(map(len, items)) > MAX_PAGE_ITEMS_BYTES:
            raise too_large()
        return replace(plain, items=items, links=links, fill=self._fill(brought.items))

    def _fill(self, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
        """In how many rows each selector has a value, as extraction counts it."""
        counts: dict[str, int] = {}
        for row in rows:
            self._filled.count({name: row.get(name) for name in self._selectors}, counts)
        return counts

    def _onward(
        self, leased: Leased, found: Sequence[NewRequest], brought: Sequence[Link]
    ) -> list[NewRequest]:
        """The requests for the links that are left. Those that were left out may be offered again by another page."""
        offered = {link.url: link for link in found}
        links: list[NewRequest] = []
        for link in brought:
            known = offered.pop(link.url, None)
            if known is None:
                if self._run.job.config.follow_links and (
                    made := self._run.links.admit(link.url, leased.depth, link.priority)
                ):
                    links.append(made)
                continue
            if (known.depth, known.priority) != (link.depth, link.priority):
                known = replace(known, depth=link.depth, priority=bounded_priority(link.priority))
            links.append(known)
        if offered:
            self._run.links.forget()
        return links
