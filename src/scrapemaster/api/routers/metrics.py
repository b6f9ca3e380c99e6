"""`/metrics`: figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from scrapemaster.api.metrics import CONTENT_TYPE, Metrics
from scrapemaster.api.security import Services
from scrapemaster.domain.errors import RedisUnavailable

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    summary="Figures for Prometheus",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, app: Services) -> Response:
    """Requests, jobs and crawling in Prometheus's text format; those of all processes of a fleet. `SCRAPEMASTER_METRICS` switches it off."""
    counted: Metrics = request.app.state.metrics
    stats = await app.monitoring.stats(None)
    try:
        workers = await app.monitoring.workers()
    except RedisUnavailable:
        workers = []
    return Response(await counted.render(stats.status_counts, workers), media_type=CONTENT_TYPE)
