"""The port to results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.item import Result


class ResultStore(Protocol):
    """The rows of jobs, in order of `seq`, which never changes once given.

    Rows are written by `Frontier.commit` alone.
    """

    async def page(self, job: JobId, *, after: int = 0, limit: int = 100) -> list[Result]:
        """Up to `limit` rows with `seq` greater than `after`; costs the same at any depth."""

    async def search(
        self, job: JobId, text: str, *, after: int = 0, limit: int = 100, scan: int = 100_000
    ) -> tuple[list[Result], int | None]:
        """Up to `limit` rows behind `after` that have `text` in their data or their own URL, and where to go on.

        Case does not matter for ASCII letters; `text` means itself. No more than `scan` rows are looked at, so that a call never takes long: there may
        be fewer rows than `limit`, even none, and more of them behind the `seq` returned. It is None when there are no rows behind.
        """

    async def total(self, job: JobId) -> int:
        """How many rows the job has now."""

    def stream(
        self, job: JobId, *, until: int | None = None, batch: int = 500
    ) -> AsyncIterator[list[Result]]:
        """All rows up to the one numbered `until` (None: the total at the first step), in order.

        In batches of at most `batch` rows and, where there is more than one row in it, some 4 MiB of data. Ends early when
        the job is removed in the meantime.
        """
