"""One page, from lease to outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import orjson

from scrapemaster.crawl.extraction import MAX_PAGE_ITEMS_BYTES, Found, encode_item, too_large, work_on
from scrapemaster.crawl.isolated_messages import Task
from scrapemaster.crawl.run import Run
from scrapemaster.crawl.verdict import POISON_INTERRUPTIONS, outcome_of_error
from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.page import Page
from scrapemaster.domain.request import Leased, NewRequest, bounded_priority, fingerprint
from scrapemaster.domain.url import host_of
from scrapemaster.extract.barrier import Barrier, barrier_of, evidence_of, shell_of
from scrapemaster.extract.download import is_attachment, magic_of
from scrapemaster.extract.fill import FillCount
from scrapemaster.ports.engine import Link, Spidering, Yielded

#: Seconds that a page may take in the crawler itself at the worst, and bytes that it may have: all jobs wait meanwhile.
IN_PROCESS_SECONDS = 1.0
IN_PROCESS_BYTES = 1024 * 1024
#: Seconds a page was seen to take after which its job's pages are no longer worked on in the crawler itself.
_TOO_SLOW = 0.2
#: Barriers that may be gone at another try.
_PASSING = frozenset({"blocked", "challenge"})


@dataclass(slots=True)
class _Worked:
    """What extraction made of a page."""

    page: Page
    alias: bytes | None
    found: Found
    links: list[NewRequest]


class PageWork:
    """Fetches and extracts the pages of one run."""

    def __init__(self, run: Run, rng: Random) -> None:
        self._run = run
        self._rng = rng
        config = run.job.config
        self._max_retries = config.max_retries
        self._follow = config.follow_links
        self._sort_query = config.sort_query
        self._spidering = run.source if isinstance(run.source, Spidering) else None

    async def work(self, leased: Leased) -> Outcome:
        """The outcome of one request. Raises only what is a fault of ours."""
        elapsed = 0.0
        try:
            if leased.interruptions >= POISON_INTERRUPTIONS:
                raise GiveUpPage(
                    "poison", f"a worker died on it {leased.interruptions} times, so it is not tried again"
                )
            if self._spidering is not None:
                return await self._spidered(leased, self._spidering)
            page = await self._run.source.fetch(leased.url)
            elapsed = page.elapsed
            return await self.outcome_of_page(leased, page)
        except PageError as error:
            error.elapsed = max(elapsed, error.elapsed)
            return self.failure(leased, error)

    def failure(self, leased: Leased, error: PageError) -> Outcome:
        """The outcome of a request that ended in `error`; what the server sent with it may say more."""
        if error.page is not None and (barrier := barrier_of(error.page, leased.url)) is not None:
            error = error_of(error.page, barrier)
        return outcome_of_error(leased, error, max_retries=self._max_retries, now=time.time(), rng=self._rng)

    async def outcome_of_page(self, leased: Leased, page: Page) -> Outcome:
        """What a fetched page yields: rows and links, or the reason why it is skipped or no page at all."""
        worked = await self._worked(leased, page)
        return self._outcome(leased, worked, worked.found.items, worked.links, worked.found.fill)

    async def _worked(self, leased: Leased, page: Page) -> _Worked:
        run = self._run
        alias = None
        if page.url != leased.url:
            mark = fingerprint(page.url, sort_query=self._sort_query)
            if mark != leased.fingerprint:
                alias = mark
            self._check_redirect(leased, page)
        if (barrier := barrier_of(page, leased.url)) is not None:
            raise error_of(page, barrier)
        check_kind(page)
        follow = self._follow and run.links.follows_from(leased.depth)
        found = await self._found(leased, page, links=follow)
        if not found.items and not found.items_failed:
            barrier = barrier_of(page, leased.url, thorough=True) or shell_of(page)
            if barrier is not None:
                raise error_of(page, barrier)
        if page.captures:
            await run.keeper.keep(run.job, leased, page)
        links: list[NewRequest] = []
        if follow:
            links = run.links.find(found.base_url, found.links, leased.depth)
            run.links_cut += found.links_seen - len(found.links)
        return _Worked(page, alias, found, links)

    @staticmethod
    def _outcome(
        leased: Leased, worked: _Worked, items: list[bytes], links: list[NewRequest], fill: Mapping[str, int]
    ) -> Outcome:
        page = worked.page
        return Outcome(
            request=leased,
            verdict=Verdict.HANDLED,
            url=page.url,
            items=items,
            links=links,
            alias=worked.alias,
            status=page.status,
            items_failed=worked.found.items_failed,
            body_bytes=len(page.body),
            fetched_at=page.fetched_at,
            elapsed=page.elapsed,
            fill=fill,
        )

    async def _spidered(self, leased: Leased, source: Spidering) -> Outcome:
        """The same through a source whose components may change what a page yields."""
        pages: list[Page] = []
        works: list[_Worked] = []

        async def parse(page: Page) -> Yielded:
            pages.append(page)
            worked = await self._worked(leased, page)
            works.append(worked)
            return Yielded(
                [orjson.loads(item) for item in worked.found.items],
                [Link(link.url, link.depth, link.priority) for link in worked.links],
            )

        try:
            brought = await source.spider(leased.url, leased.depth, parse)
        except PageError as error:
            error.elapsed = max([error.elapsed, *(page.elapsed for page in pages)])
            raise
        if not works:
            raise GiveUpPage("scrapy_dropped", "a component of Scrapy kept the page from being worked on")
        worked = works[-1]
        items, fill = [encode_item(item) for item in brought.items], worked.found.fill
        if items != worked.found.items:
            items, fill = self._changed(brought.items, items)
        return self._outcome(leased, worked, items, self._onward(leased, worked, brought.links), fill)

    def _changed(self, rows: list[Any], items: list[bytes]) -> tuple[list[bytes], dict[str, int]]:
        """Rows that components changed: still within the limits of a page's, their fields counted anew."""
        if sum(map(len, items)) > MAX_PAGE_ITEMS_BYTES:
            raise too_large()
        count = FillCount(self._run.job.selectors)
        for row in rows:
            count.add({name: row.get(name) for name in self._run.job.selectors})
        return items, count.counts

    def _onward(self, leased: Leased, worked: _Worked, brought: list[Link]) -> list[NewRequest]:
        """The requests for the links that are left. Those that were left out may be offered again by another page."""
        offered = {link.url: link for link in worked.links}
        links: list[NewRequest] = []
        for link in brought:
            known = offered.pop(link.url, None)
            if known is not None:
                if (known.depth, known.priority) != (link.depth, link.priority):
                    known = replace(known, depth=link.depth, priority=bounded_priority(link.priority))
                links.append(known)
            elif self._follow and (made := self._run.links.admit(link.url, leased.depth, link.priority)):
                links.append(made)
        if offered:
            self._run.links.forget()
        return links

    async def _found(self, leased: Leased, page: Page, *, links: bool) -> Found:
        """Extract here what is certain to be quick, and the rest where it can be ended."""
        run = self._run
        content_type = page.headers.get("content-type", "")
        if (
            run.isolated
            or leased.interruptions
            or len(page.body) > IN_PROCESS_BYTES
            or run.plan.seconds(page.body, IN_PROCESS_SECONDS) >= IN_PROCESS_SECONDS
        ):
            task = Task(
                run.spec,
                page.body,
                page.url,
                content_type,
                links=links,
                matches=False,
                seconds=run.isolation.seconds,
            )
            tries = POISON_INTERRUPTIONS - leased.interruptions
            return (await run.isolation.extract(run.job.id, task, tries=tries)).found
        began = time.monotonic()
        run.recorder.begin(run.job.id, leased.key)
        try:
            return work_on(run.plan, page.body, page.url, content_type, links=links)
        finally:
            run.recorder.end()
            run.isolated = time.monotonic() - began > _TOO_SLOW

    def _check_redirect(self, leased: Leased, page: Page) -> None:
        scope = self._run.links.scope
        host = host_of(page.url)
        if scope.covers_host(host):
            return
        if leased.depth == 0 and self._run.may_widen:
            scope.widen(host)
            return
        raise GiveUpPage(
            "offsite_redirect", f"redirected to {page.url}, which is outside the job's domains", page.status
        )


def error_of(page: Page, barrier: Barrier) -> PageError:
    """The failure of a page that is no page."""
    kind = RetryPage if barrier.reason in _PASSING else GiveUpPage
    sentence = _SENTENCES[barrier.reason]
    if barrier.reason == "script_shell" and page.engine == "browser":
        sentence = "an application that showed nothing yet: name what it shows in config.browser.wait_for"
    error = kind(
        barrier.reason, f"the server answered {page.status} with {sentence} ({barrier.mark})", page.status
    )
    error.evidence = evidence_of(page, barrier)
    return error


_SENTENCES = {
    "blocked": "a page that says that we are blocked",
    "challenge": "a challenge in the place of the page",
    "login_wall": "a login form in the place of the page",
    "empty_body": "an empty page",
    "script_shell": "a page that only scripts in a browser fill, and no selector found anything",
}


def check_kind(page: Page) -> None:
    """Raise `GiveUpPage` for what is no document, whatever its type says."""
    if is_attachment(page.headers.get("content-disposition", ""), page.content_type):
        raise GiveUpPage("download", "the server sends it as a file to be saved", page.status)
    if (kind := magic_of(page.body)) is not None:
        raise GiveUpPage("not_html", f"the body is {kind}, which has no fields", page.status)
