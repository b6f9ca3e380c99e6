"""Keeps what a browser made of pages."""

from __future__ import annotations

import time

from scrapemaster.domain.job import Job
from scrapemaster.domain.page import Page
from scrapemaster.domain.rendering import Artefact, artefact_id
from scrapemaster.domain.request import Leased
from scrapemaster.ports.store import Store


class Keeper:
    """Stores the captures of pages, up to `budget` bytes for each job.

    They are stored before their page is committed, under ids that are the same whoever does it: a page that is fetched again, because
    somebody died in between, has its captures once.
    """

    def __init__(self, store: Store, budget: int) -> None:
        self._store = store
        self._budget = budget

    async def keep(self, job: Job, leased: Leased, page: Page) -> None:
        """Store a page's captures; what is beyond the budget is left out, and the job says so."""
        for part, capture in enumerate(page.captures):
            artefact = Artefact(
                artefact_id(job.id, leased.fingerprint, part),
                job.id,
                page.url,
                capture.kind,
                len(capture.data),
                time.time(),
            )
            if not await self._store.artefacts.put(artefact, capture.data, budget=self._budget):
                warning = f"not all pictures were kept: a job's may have {self._budget:,} bytes together"
                await self._store.jobs.warn(job.id, [warning])
                return
