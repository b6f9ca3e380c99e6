"""One page, from lease to outcome."""

from __future__ import annotations

import time
from random import Random
from typing import Any

import orjson

from scrapemaster.crawl.run import Run
from scrapemaster.crawl.verdict import POISON_INTERRUPTIONS, outcome_of_error
from scrapemaster.domain.errors import GiveUpPage, PageError
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.page import Page
from scrapemaster.domain.request import Leased, NewRequest, fingerprint
from scrapemaster.domain.url import host_of


class PageWork:
    """Fetches and extracts the pages of one run."""

    def __init__(self, run: Run, rng: Random) -> None:
        self._run = run
        self._rng = rng
        config = run.job.config
        self._max_retries = config.max_retries
        self._follow = config.follow_links
        self._sort_query = config.sort_query

    async def work(self, leased: Leased) -> Outcome:
        """The outcome of one request. Raises only what is a fault of ours."""
        elapsed = 0.0
        try:
            if leased.interruptions >= POISON_INTERRUPTIONS:
                raise GiveUpPage(
                    "poison", f"a worker died on it {leased.interruptions} times, so it is not tried again"
                )
            page = await self._run.source.fetch(leased.url)
            elapsed = page.elapsed
            return self.outcome_of_page(leased, page)
        except PageError as error:
            error.elapsed = max(elapsed, error.elapsed)
            return self.failure(leased, error)

    def failure(self, leased: Leased, error: PageError) -> Outcome:
        """The outcome of a request that ended in `error`."""
        return outcome_of_error(leased, error, max_retries=self._max_retries, now=time.time(), rng=self._rng)

    def outcome_of_page(self, leased: Leased, page: Page) -> Outcome:
        """What a fetched page yields: rows and links, or the reason why it is skipped."""
        run = self._run
        alias = None
        if page.url != leased.url:
            mark = fingerprint(page.url, sort_query=self._sort_query)
            if mark != leased.fingerprint:
                alias = mark
            self._check_redirect(leased, page)
        document = run.plan.open(page.body, page.url, page.headers.get("content-type", ""))
        if document.kind == "other":
            kind = page.content_type or "no content type"
            raise GiveUpPage("not_html", f"the body is {kind}, which has no fields", page.status)
        extraction = run.plan.extract(document)
        links: list[NewRequest] = []
        if self._follow and run.links.follows_from(leased.depth):
            links = run.links.find(document.base_url, document.links(), leased.depth)
        return Outcome(
            request=leased,
            verdict=Verdict.HANDLED,
            url=page.url,
            items=[encode_item(item) for item in extraction.items],
            links=links,
            alias=alias,
            status=page.status,
            items_failed=extraction.items_failed,
            body_bytes=len(page.body),
            fetched_at=page.fetched_at,
            elapsed=page.elapsed,
        )

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


def encode_item(item: dict[str, Any]) -> bytes:
    """An item as JSON. Lone surrogates (legal in scraped JSON, not in UTF-8) become U+FFFD."""
    try:
        return orjson.dumps(item, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, orjson.JSONEncodeError):
        return orjson.dumps(_cleaned(item), option=orjson.OPT_NON_STR_KEYS, default=str)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {_cleaned(str(key)): _cleaned(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_cleaned(inner) for inner in value]
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case _:
            return value
