"""Figures about the service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.job import JobStatus
from scrapemaster.ports.store import Store
from scrapemaster.services.proxies import ProxyService

_DAY = 86_400.0
#: Seconds a part has to answer.
_ANSWER = 2.0


@dataclass(slots=True, frozen=True)
class Stats:
    """Figures over jobs. `success_rate` is in percent."""

    status_counts: Mapping[str, int]
    total_items_scraped: int
    jobs_last_24h: int
    success_rate: float
    total_jobs: int


class MonitoringService:
    """Use cases of monitoring. `crawler_healthy` says whether the crawler gave a sign of life of late."""

    def __init__(self, store: Store, crawler_healthy: Callable[[], bool], proxies: ProxyService) -> None:
        self._store = store
        self._crawler_healthy = crawler_healthy
        self._proxies = proxies

    async def stats(self, sees: UserId | None) -> Stats:
        """Figures over the caller's jobs."""
        stats = await self._store.jobs.stats(sees, since=time.time() - _DAY)
        counts = {str(status): stats.status_counts.get(status, 0) for status in JobStatus}
        completed, failed = counts[JobStatus.COMPLETED], counts[JobStatus.FAILED]
        rate = round(100 * completed / (completed + failed), 2) if completed + failed else 100.0
        return Stats(counts, stats.items_scraped, stats.created_since, rate, sum(counts.values()))

    async def system(self) -> dict[str, str]:
        """The health of each part: `healthy`, `unhealthy` or `embedded`."""
        store = "healthy" if await self.store_answers() else "unhealthy"
        crawler = "healthy" if self._crawler_healthy() else "unhealthy"
        return {
            "redis": "embedded",
            "mongodb": "embedded",
            "api": "healthy",
            "store": store,
            "crawler": crawler,
        }

    async def proxies(self) -> dict[str, Any]:
        """The proxy pool: how many proxies are in each state, and how they do."""
        return await self._proxies.figures()

    async def store_answers(self) -> bool:
        """Whether the store answers in time."""
        try:
            async with asyncio.timeout(_ANSWER):
                await self._store.ping()
        except (StoreError, TimeoutError):
            return False
        return True

    async def ready(self) -> bool:
        """Whether requests can be served."""
        return await self.store_answers()
