"""What the `auto` engine knows of a job's hosts, as one process has it."""

from __future__ import annotations

import asyncio
from collections import Counter

from scrapemaster.domain.choices import Choices
from scrapemaster.domain.escalation import (
    Choice,
    HostLore,
    Lesson,
    Reason,
    Signs,
    Step,
    all_learnt,
    on_plain_page,
)
from scrapemaster.domain.job import Job
from scrapemaster.domain.url import host_of


class Lore:
    """What is known of a job's hosts in this process: what the store has, and what pages of late taught beyond it.

    Pages of one look do not all find out the same at once: while one is rendered on `trial`, those like it wait for what comes of it.
    """

    def __init__(self, job: Job) -> None:
        self._hosts = dict(job.choices.hosts)
        self._trials: dict[tuple[str, str], asyncio.Event] = {}
        self._seeds = Counter(host_of(url) for url in job.urls)
        self._spreads = job.config.max_pages > 1 and (job.config.follow_links or job.config.sitemap)

    def heed(self, choices: Choices) -> None:
        """Take over what other workers' pages taught, of hosts of which they know more."""
        for host, theirs in choices.hosts.items():
            ours = self._hosts.get(host)
            if ours is None or theirs.lessons >= ours.lessons:
                self._hosts[host] = theirs

    def learn(self, lesson: Lesson) -> None:
        """Learn at once; the commit of the page tells the others."""
        self._hosts = all_learnt(self._hosts, (lesson,))

    def of(self, host: str) -> HostLore:
        """What is known of a host."""
        return self._hosts.get(host) or HostLore()

    def more(self, host: str) -> bool:
        """Whether other pages of a host may follow."""
        return self._spreads or self._seeds[host] > 1

    async def choose(self, host: str, signs: Signs) -> tuple[Choice, asyncio.Event | None]:
        """The choice for a plain page, and the trial that it makes it, to be `ended`; the choice may have to wait for another page's trial."""
        key = (host, signs.look)
        while True:
            lore = self.of(host)
            choice = on_plain_page(signs, lore, more=self.more(host))
            known = lore.looks.get(signs.look)
            if choice.step is Step.PLAIN or (known is not None and known.changed):
                return choice, None
            trial = self._trials.get(key)
            if trial is None:
                trial = self._trials[key] = asyncio.Event()
                return choice, trial
            if known is not None and known.trusted(signs.proofs):
                return Choice(
                    Step.PLAIN, Reason.LEARNED
                ), None  # it is the turn of that one to see whether that still holds
            await trial.wait()

    def ended(self, host: str, signs: Signs, trial: asyncio.Event | None) -> None:
        """A trial is over, however it went."""
        if trial is not None:
            del self._trials[host, signs.look]
            trial.set()
