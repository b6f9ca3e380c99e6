"""One page, from lease to outcome."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from random import Random

from scrapemaster.crawl.extraction import Found, work_on
from scrapemaster.crawl.isolated_messages import Task
from scrapemaster.crawl.run import Run
from scrapemaster.crawl.verdict import POISON_DEATHS, check_poison, outcome_of_error
from scrapemaster.domain.barrier import Barrier
from scrapemaster.domain.errors import GiveUpPage, PageError, RetryPage
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.page import Page
from scrapemaster.domain.request import Leased, NewRequest, fingerprint
from scrapemaster.domain.url import host_of
from scrapemaster.extract.barrier import barrier_of, evidence_of, shell_of
from scrapemaster.extract.download import is_attachment, magic_of

#: Seconds that a page may take in the crawler itself at the worst, and bytes that it may have: all jobs wait meanwhile.
IN_PROCESS_SECONDS = 1.0
IN_PROCESS_BYTES = 1024 * 1024
#: Seconds of processor time a page was seen to take (a busy machine makes none slow) after which its job's pages are no longer worked on in the crawler itself.
_TOO_SLOW = 0.2
#: Barriers that may be gone at another try.
_PASSING = frozenset({"blocked", "challenge"})


class Attempt:
    """What one way of fetching a page brought: the page and what it yields, or the error that it came to; an error may come with both."""

    __slots__ = ("alias", "elapsed", "error", "found", "page")

    def __init__(self) -> None:
        self.page: Page | None = None
        self.found: Found | None = None
        self.alias: bytes | None = None
        self.error: PageError | None = None
        self.elapsed = 0.0


Ask = Callable[[str], Awaitable[Page]]


class PageWork:
    """Fetches and extracts the pages of one run."""

    def __init__(self, run: Run, rng: Random, clock: Callable[[], float] = time.time) -> None:
        self._run = run
        self._rng = rng
        self._clock = clock
        config = run.job.config
        self._max_retries = config.max_retries
        self._follow = config.follow_links
        self._sort_query = config.sort_query

    async def work(self, leased: Leased) -> Outcome:
        """The outcome of one request. Raises only what is a fault of ours."""
        return await self.outcome(leased, await self.attempt(leased, self._run.source.fetch))

    async def attempt(self, leased: Leased, ask: Ask) -> Attempt:
        """Fetch a page by `ask`, and extract it."""
        attempt = Attempt()
        try:
            check_poison(leased)
            page = attempt.page = await ask(leased.url)
            attempt.elapsed = page.elapsed
            await self._read(leased, page, attempt)
        except PageError as error:
            attempt.elapsed = error.elapsed = max(attempt.elapsed, error.elapsed)
            attempt.error = self._what_it_says(leased, error)
        return attempt

    async def outcome(self, leased: Leased, attempt: Attempt) -> Outcome:
        """What an attempt comes to: rows and links, or the reason why the page is skipped or no page at all."""
        page, found = attempt.page, attempt.found
        if attempt.error is not None:
            return self.failure(leased, attempt.error)
        if page is None or found is None:
            return self.failure(leased, GiveUpPage("internal_error", "there is neither a page nor an error"))
        run = self._run
        if page.captures:
            await run.keeper.keep(run.job, leased, page)
        links: list[NewRequest] = []
        if self._follow and run.links.follows_from(leased.depth):
            links = run.links.find(found.base_url, found.links, leased.depth)
            run.links_cut += found.links_seen - len(found.links)
        return Outcome(
            request=leased,
            verdict=Verdict.HANDLED,
            url=page.url,
            items=found.items,
            links=links,
            alias=attempt.alias,
            status=page.status,
            items_failed=found.items_failed,
            body_bytes=len(page.body),
            fetched_at=page.fetched_at,
            elapsed=attempt.elapsed,
            fill=found.fill,
        )

    def failure(self, leased: Leased, error: PageError) -> Outcome:
        """The outcome of a request that ended in `error`."""
        return outcome_of_error(
            leased, error, max_retries=self._max_retries, now=self._clock(), rng=self._rng
        )

    def may_retry(self, leased: Leased, error: PageError) -> bool:
        """Whether a request that ended in `error` is tried again."""
        return isinstance(error, RetryPage) and leased.attempts < self._max_retries

    @staticmethod
    def _what_it_says(leased: Leased, error: PageError) -> PageError:
        """The error, or what the page says that the server sent with it."""
        if error.page is None or (barrier := barrier_of(error.page, leased.url)) is None:
            return error
        said = error_of(error.page, barrier)
        said.elapsed = error.elapsed
        return said

    async def _read(self, leased: Leased, page: Page, attempt: Attempt) -> None:
        """Extract a fetched page; raises `PageError` for what is no page. What it yields may be there even so."""
        if page.url != leased.url:
            mark = fingerprint(page.url, sort_query=self._sort_query)
            if mark != leased.fingerprint:
                attempt.alias = mark
            self._check_redirect(leased, page)
        if (barrier := barrier_of(page, leased.url)) is not None:
            raise error_of(page, barrier)
        check_kind(page)
        follow = self._follow and self._run.links.follows_from(leased.depth)
        found = attempt.found = await self._found(leased, page, links=follow)
        if not found.items and not found.items_failed:
            barrier = barrier_of(page, leased.url, thorough=True) or shell_of(page)
            if barrier is not None:
                raise error_of(page, barrier)

    async def _found(self, leased: Leased, page: Page, *, links: bool) -> Found:
        """Extract here what is certain to be quick, and the rest where it can be ended."""
        run = self._run
        content_type = page.headers.get("content-type", "")
        if (
            run.isolated
            or leased.interruptions
            or len(page.body) > IN_PROCESS_BYTES
            or not run.plan.is_quick(page.body, IN_PROCESS_SECONDS)
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
            tries = POISON_DEATHS - leased.interruptions
            return (await run.isolation.extract(run.job.id, task, tries=tries)).found
        began = time.thread_time()
        run.recorder.begin(run.job.id, leased.key)
        try:
            return work_on(run.plan, page.body, page.url, content_type, links=links)
        finally:
            run.recorder.end()
            run.isolated = time.thread_time() - began > _TOO_SLOW

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
