"""The port to those who crawl."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.worker import WorkerReport


class Workers(Protocol):
    """The workers that gave a sign of life of late. Disposable: what is lost is told anew with the next sign of life."""

    async def reports(self) -> list[WorkerReport]:
        """The workers there are, the longest-running first.

        Raises `RedisUnavailable` when that cannot be found out.
        """
