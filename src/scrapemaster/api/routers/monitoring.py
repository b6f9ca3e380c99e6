"""`/monitoring`: figures and health."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from scrapemaster.api.schemas.errors import UNAUTHENTICATED
from scrapemaster.api.schemas.monitoring import ProxiesAnswer, StatsAnswer, SystemAnswer
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.export.timestamps import iso

router = APIRouter(prefix="/monitoring", tags=["monitoring"], responses=UNAUTHENTICATED)


@router.get("/stats", response_model=StatsAnswer, summary="Figures over jobs")
async def stats(caller: CallerHere, app: Services) -> Any:
    """The caller's jobs; all jobs for an admin."""
    return asdict(await app.monitoring.stats(caller.sees))


@router.get("/proxies", response_model=ProxiesAnswer, summary="The proxy pool")
async def proxies(_caller: CallerHere, app: Services) -> Any:
    """How many proxies are in each state, and their mean success rate in percent; states that no proxy is in are left out."""
    return await app.monitoring.proxies()


@router.get("/system", response_model=SystemAnswer, summary="Health of the parts")
async def system(_caller: CallerHere, app: Services) -> Any:
    """`redis` and `mongodb` are `embedded`: this version has their work done inside."""
    return {**await app.monitoring.system(), "timestamp": iso(time.time())}
