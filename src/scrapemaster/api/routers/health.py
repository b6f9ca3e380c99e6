"""Whether the process is up, and whether it can serve."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from scrapemaster.api.security import Services

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process up")
async def healthz() -> dict[str, str]:
    """Yes."""
    return {"status": "ok"}


@router.get(
    "/readyz", summary="Can it serve", responses={503: {"description": "Not now: the store does not answer."}}
)
async def readyz(app: Services) -> Any:
    """200 when requests can be served, 503 when not."""
    if await app.monitoring.ready():
        return {"status": "ready"}
    return JSONResponse({"status": "not ready"}, 503, {"Retry-After": "1"})
