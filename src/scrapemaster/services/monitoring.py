"""Figures about the service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scrapemaster.domain.errors import RedisUnavailable, StoreError
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.job import JobStatus
from scrapemaster.domain.worker import WorkerReport
from scrapemaster.ports.store import Store
from scrapemaster.ports.workers import Workers
from scrapemaster.services.patience import within
from scrapemaster.services.proxies import ProxyService

_DAY = 86_400.0
#: Seconds a part has to answer.
_ANSWER = 1.5


@dataclass(slots=True, frozen=True)
class Stats:
    """Figures over jobs. `success_rate` is in percent."""

    status_counts: Mapping[str, int]
    total_items_scraped: int
    jobs_last_24h: int
    success_rate: float
    total_jobs: int


class MonitoringService:
    """Use cases of monitoring.

    `ping_redis` raises `RedisUnavailable` when Redis does not answer; None where there is none. `mongodb`: whether the store is a
    MongoDB.
    """

    def __init__(
        self,
        store: Store,
        workers: Workers,
        ping_redis: Callable[[], Awaitable[None]] | None,
        *,
        proxies: ProxyService,
        mongodb: bool = False,
    ) -> None:
        self._mongodb = mongodb
        self._proxies = proxies
        self._store = store
        self._workers = workers
        self._ping_redis = ping_redis

    async def stats(self, sees: UserId | None) -> Stats:
        """Figures over the caller's jobs."""
        stats = await self._store.jobs.stats(sees, since=time.time() - _DAY)
        counts = {str(status): stats.status_counts.get(status, 0) for status in JobStatus}
        completed, failed = counts[JobStatus.COMPLETED], counts[JobStatus.FAILED]
        rate = round(100 * completed / (completed + failed), 2) if completed + failed else 100.0
        return Stats(counts, stats.items_scraped, stats.created_since, rate, sum(counts.values()))

    async def system(self) -> dict[str, str]:
        """The health of each part: `healthy`, `unhealthy` or `embedded`."""
        store, redis, crawler = await asyncio.gather(
            self.store_answers(), self._redis_answers(), self._anybody_crawls()
        )
        return {
            "redis": "embedded" if redis is None else _health(redis),
            "mongodb": _health(store) if self._mongodb else "embedded",
            "api": "healthy",
            "store": _health(store),
            "crawler": _health(crawler),
        }

    async def workers(self) -> list[WorkerReport]:
        """The processes that crawl; raises `RedisUnavailable`."""
        return await self._workers.reports()

    async def proxies(self) -> dict[str, Any]:
        """The proxy pool: how many proxies are in each state, and how they do."""
        return await self._proxies.figures()

    async def store_answers(self) -> bool:
        """Whether the store answers in time."""
        try:
            await within(_ANSWER, self._store.ping())
        except (StoreError, TimeoutError):
            return False
        return True

    async def _anybody_crawls(self) -> bool:
        """Whether any worker gave a sign of life of late."""
        try:
            return bool(await within(_ANSWER, self._workers.reports()))
        except (RedisUnavailable, TimeoutError):
            return False

    async def _redis_answers(self) -> bool | None:
        """Whether Redis answers in time; None where there is none."""
        if self._ping_redis is None:
            return None
        try:
            await within(_ANSWER, self._ping_redis())
        except (RedisUnavailable, TimeoutError):
            return False
        return True

    async def ready(self) -> bool:
        """Whether requests can be served."""
        return await self.store_answers()


def _health(answers: bool) -> str:  # noqa: FBT001 -- from a truth to its name
    return "healthy" if answers else "unhealthy"
