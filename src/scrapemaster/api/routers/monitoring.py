"""`/monitoring`: figures and health."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import FORBIDDEN, UNAUTHENTICATED
from scrapemaster.api.schemas.monitoring import ProxiesAnswer, StatsAnswer, SystemAnswer, WorkerAnswer
from scrapemaster.api.security import AdminHere, CallerHere, Services, WatcherHere
from scrapemaster.export.timestamps import iso

router = Router(prefix="/monitoring", tags=["monitoring"], responses=UNAUTHENTICATED)


@router.get("/stats", response_model=StatsAnswer, summary="Figures over jobs")
async def stats(caller: CallerHere, app: Services) -> Any:
    """The caller's jobs; all jobs for an admin."""
    return asdict(await app.monitoring.stats(caller.sees))


@router.get("/proxies", response_model=ProxiesAnswer, summary="The proxy pool")
async def proxies(_caller: CallerHere, app: Services) -> Any:
    """How many proxies are in each state, and their mean success rate in percent; states that no proxy is in are left out."""
    return await app.monitoring.proxies()


@router.get("/system", response_model=SystemAnswer, summary="Health of the parts")
async def system(_caller: WatcherHere, app: Services) -> Any:
    """`redis` and `mongodb` are `embedded` where their work is done inside. A part that does not answer within two seconds is `unhealthy`.

    While the store does not answer, any token that has not expired will do, and no API key.
    """
    return {**await app.monitoring.system(), "timestamp": iso(time.time())}


@router.get(
    "/workers",
    response_model=list[WorkerAnswer],
    responses=FORBIDDEN,
    summary="The processes that crawl",
)
async def workers(_admin: AdminHere, app: Services) -> Any:
    """For admins: those that gave a sign of life within the last two seconds, the longest-running first. Embedded: the one crawler."""
    return [
        {
            "id": report.id,
            "host": report.host,
            "pid": report.pid,
            "version": report.version,
            "started_at": iso(report.started_at),
            "last_seen": iso(report.seen_at),
            "slices": report.slices,
            "pages_per_second": report.pages_per_second,
        }
        for report in await app.monitoring.workers()
    ]
