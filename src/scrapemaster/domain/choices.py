"""What the `auto` engine chose for a job's pages, and what it learnt: kept with the job, continued by each commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scrapemaster.domain.escalation import HostLore, all_learnt
from scrapemaster.domain.outcome import Outcome, Verdict
from scrapemaster.domain.took import Expense


@dataclass(slots=True, frozen=True)
class Choices:
    """A job's choices so far.

    `pages` counts pages that are over by engine and reason (`browser/script_shell`). `http` and `browser` are what was asked for, so that a page
    had by both counts in both. `hosts` is what was learnt.
    """

    pages: Mapping[str, int] = field(default_factory=dict)
    http: Expense = field(default_factory=Expense)
    browser: Expense = field(default_factory=Expense)
    hosts: Mapping[str, HostLore] = field(default_factory=dict)

    def of(self, engine: str) -> dict[str, int]:
        """Pages that an engine brought, by reason."""
        return {
            way.partition("/")[2]: pages
            for way, pages in self.pages.items()
            if way.partition("/")[0] == engine
        }

    @property
    def engines(self) -> str | None:
        """The engines that pages came from; None when there is no page yet."""
        return "+".join(sorted({way.partition("/")[0] for way in self.pages}, reverse=True)) or None


def chosen(before: Choices, outcomes: Iterable[Outcome]) -> Choices:
    """A job's choices after a commit of these outcomes; the same object when none is the `auto` engine's."""
    took = [(outcome.verdict, outcome.took) for outcome in outcomes if outcome.took is not None]
    if not took:
        return before
    pages = Counter(before.pages)
    plain, rendered = before.http, before.browser
    for verdict, one in took:
        if verdict is not Verdict.RETRY:
            pages[one.way] += 1
        plain = _sum(plain, one.plain)
        rendered = _sum(rendered, one.rendered)
    lessons = [one.lesson for _, one in took if one.lesson is not None]
    hosts = all_learnt(before.hosts, lessons) if lessons else before.hosts
    return Choices(dict(pages), plain, rendered, hosts)


def _sum(one: Expense, two: Expense) -> Expense:
    return Expense(one.fetches + two.fetches, one.ms + two.ms, one.bytes + two.bytes)
