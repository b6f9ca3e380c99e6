"""One page of the `auto` engine, from lease to outcome: plain, or rendered where that pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scrapemaster.crawl.comparison import changed
from scrapemaster.crawl.extraction import Found
from scrapemaster.crawl.process import Attempt, PageWork
from scrapemaster.crawl.run import Run
from scrapemaster.crawl.verdict import UNASKED_REASONS
from scrapemaster.domain.errors import PageError
from scrapemaster.domain.escalation import (
    Choice,
    Finding,
    Lesson,
    Reason,
    Signs,
    Step,
    after_rendering,
    before_asking,
    section_of,
)
from scrapemaster.domain.outcome import Outcome
from scrapemaster.domain.page import Page
from scrapemaster.domain.request import Leased
from scrapemaster.domain.selector import names_of
from scrapemaster.domain.took import Expense, Took
from scrapemaster.domain.url import host_of
from scrapemaster.extract.look import signs_of
from scrapemaster.ports.engine import RenderingSource

#: What a plain request may come to that a browser may be spared.
_BARRIERS: Mapping[str, Reason] = {
    "challenge": Reason.CHALLENGE,
    "blocked": Reason.BLOCKED,
    "http_403": Reason.BLOCKED,
}


class ChoosingWork:
    """Works on the pages of one run of the `auto` engine."""

    def __init__(self, run: Run, source: RenderingSource, work: PageWork) -> None:
        self._run = run
        self._lore = run.lore
        self._source = source
        self._work = work
        self._names = frozenset(names_of(run.job.selectors))
        self._ordered = run.job.config.browser.demanding

    async def work(self, leased: Leased) -> Outcome:
        """The outcome of one request. Raises only what is a fault of ours."""
        host, section = host_of(leased.url), section_of(leased.url)
        took = Took()
        first = before_asking(self._lore.of(host), section, ordered=self._ordered)
        if first.step is Step.RENDER and self._source.lacking is None:
            return await self._straight(leased, first, Lesson(host, section, "", Finding.DIRECT), took)
        plain = await self._plain(leased, took)
        reason = None if plain.error is None else plain.error.reason
        signs = signs_of_plain(plain.page, plain.found, reason, self._names)
        if first.step is Step.RENDER:
            choice, trial = first, None
        else:
            choice, trial = await self._lore.choose(host, signs)
        lesson = Lesson(host, section, signs.look if signs.scripts else "", Finding.KEPT)
        try:
            if choice.step is Step.RENDER and self._source.lacking is None:
                return await self._rendered(leased, plain, choice, lesson, took)
        finally:
            self._lore.ended(host, signs, trial)
        took.why = choice.why
        if choice.step is Step.RENDER:
            took.why = Reason.COMPLETE if choice.sample else Reason.NO_BROWSER
            if not choice.sample:
                self._run.missed = self._run.missed or (leased.url, choice.why, self._source.lacking or "")
        elif signs.scripts or (plain.error is None and section in self._lore.of(host).sections):
            self._learn(took, lesson)
        return await self._outcome(leased, plain, took)

    async def _straight(self, leased: Leased, choice: Choice, lesson: Lesson, took: Took) -> Outcome:
        """Render a page without asking for it plainly first."""
        rendered = await self._render(leased, took)
        took.engine, took.why = "browser", choice.why
        if rendered.error is None and choice.why is not Reason.ORDERED:
            self._learn(took, lesson)
        return await self._outcome(leased, rendered, took)

    async def _rendered(
        self, leased: Leased, plain: Attempt, choice: Choice, lesson: Lesson, took: Took
    ) -> Outcome:
        """Render a page that is there plainly, take the better one, and learn."""
        rendered = await self._render(leased, took)
        if (error := rendered.error) is not None:
            return await self._unrendered(leased, plain, rendered, error, lesson, choice, took)
        differs = await self._differs(leased, plain, rendered, choice, took)
        self._learn(took, replace(lesson, finding=Finding.CHANGED if differs else Finding.SAME))
        taken = after_rendering(choice, changed=differs)
        took.why = taken.why
        if taken.step is Step.PLAIN and plain.error is None:
            return await self._outcome(leased, plain, took)
        took.engine, took.why = "browser", choice.why
        return await self._outcome(leased, rendered, took)

    async def _unrendered(  # noqa: PLR0917 -- one call
        self,
        leased: Leased,
        plain: Attempt,
        rendered: Attempt,
        error: PageError,
        lesson: Lesson,
        choice: Choice,
        took: Took,
    ) -> Outcome:
        """What becomes of a page that the browser did not bring."""
        if plain.error is None and (choice.sample or not self._work.may_retry(leased, error)):
            took.why = Reason.RENDER_FAILED
            return await self._outcome(leased, plain, took)
        took.engine, took.why = "browser", choice.why
        if plain.error is not None and error.reason == plain.error.reason:
            self._learn(took, replace(lesson, finding=Finding.SAME))
        return await self._outcome(leased, rendered, took)

    async def _differs(
        self, leased: Leased, plain: Attempt, rendered: Attempt, choice: Choice, took: Took
    ) -> bool:
        """Whether rendering changed what the page yields, and not the passing of time."""
        if plain.found is None or rendered.found is None or plain.error is not None:
            return rendered.found is not None and bool(rendered.found.items or plain.found is None)
        if not changed(plain.found, rendered.found):
            return False
        if (choice.why is Reason.DIFFERED and not choice.sample) or not plain.found.items:
            return True
        again = await self._plain(leased, took)
        return again.found is None or changed(plain.found, rendered.found, again.found)

    async def _plain(self, leased: Leased, took: Took) -> Attempt:
        attempt = await self._work.attempt(leased, self._source.fetch)
        _enter(took.plain, attempt)
        return attempt

    async def _render(self, leased: Leased, took: Took) -> Attempt:
        attempt = await self._work.attempt(leased, self._source.render)
        _enter(took.rendered, attempt)
        return attempt

    def _learn(self, took: Took, lesson: Lesson) -> None:
        took.lesson = lesson
        self._lore.learn(lesson)

    async def _outcome(self, leased: Leased, attempt: Attempt, took: Took) -> Outcome:
        """The outcome of the attempt that is taken; what the other one cost is counted with it."""
        outcome = await self._work.outcome(leased, attempt)
        elapsed = (took.plain.ms + took.rendered.ms) / 1_000
        size = took.plain.bytes + took.rendered.bytes
        evidence = outcome.evidence
        # What is nothing but a plain request's ordinary failure needs no more words.
        if outcome.reason is not None and (evidence is not None or took.engine == "browser"):
            evidence = {**(evidence or {}), "engine": took.engine, "engine_reason": str(took.why)}
        return replace(outcome, took=took, elapsed=elapsed, body_bytes=size, evidence=evidence)


def signs_of_plain(
    page: Page | None, found: Found | None, reason: str | None, names: frozenset[str]
) -> Signs:
    """What a plain page shows that yielded what was `found`, or came to an error with this `reason`; `names` are the selectors'."""
    if reason is not None and (barrier := _BARRIERS.get(reason)) is not None:
        return Signs(str(barrier), scripts=True, suspicion=barrier)
    if page is None or found is None or reason not in {None, "script_shell"}:
        return Signs("")
    signs = signs_of(page, found.items, names - found.fill.keys() if found.items else names)
    return signs if reason is None else replace(signs, scripts=True, suspicion=Reason.SCRIPT_SHELL)


def _enter(expense: Expense, attempt: Attempt) -> None:
    """Count what an attempt cost, if anybody was asked."""
    if attempt.error is None or attempt.error.reason not in UNASKED_REASONS:
        expense.add(attempt.elapsed, 0 if attempt.page is None else len(attempt.page.body))
