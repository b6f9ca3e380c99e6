"""`/jobs/{id}/series` and `/jobs/{id}/changes`: a job over time, and against the run before it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query

from scrapemaster.api.routers.jobs import JobPath, as_json
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.course import ChangesAnswer, SeriesAnswer
from scrapemaster.api.schemas.errors import CONFLICT, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.series import Point
from scrapemaster.export.timestamps import iso

router = Router(prefix="/jobs", tags=["jobs"], responses=UNAUTHENTICATED)


@router.get(
    "/{job_id}/series",
    response_model=SeriesAnswer,
    responses={**NOT_FOUND, **INVALID},
    summary="A job over time",
)
async def series(
    job_id: JobPath,
    caller: CallerHere,
    app: Services,
    points: Annotated[int, Query(ge=10, le=1_000, description="Points to return at most.")] = 240,
) -> Any:
    """Pages, statuses, rows, bytes and times, in spans of equal length since the job started."""
    job = await app.jobs.get(JobId(job_id), caller.sees)
    found = await app.jobs.series(job.id, caller.sees, most=points)
    return as_json(
        {
            "started_at": None if job.started_at is None else iso(job.started_at),
            "seconds": found[0].seconds if found else 1,
            "points": [_point_view(point) for point in found],
        }
    )


@router.get(
    "/{job_id}/changes",
    response_model=ChangesAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="What changed since an earlier run",
)
async def changes(
    *,
    job_id: JobPath,
    caller: CallerHere,
    app: Services,
    against: Annotated[
        str | None,
        Query(
            max_length=100,
            description="The earlier job. Default: the last completed one of the same schedule, or of the same name.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            description="The field whose values say which rows are the same thing; `url` is the page's. Default: one that tells all "
            "rows apart, such as `id`, `sku` or `url`; else whole rows (`*`).",
        ),
    ] = None,
    kind: Annotated[
        Literal["new", "changed", "gone"] | None, Query(description="Only changes of this kind.")
    ] = None,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Changes to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Changes to return at most.")] = 100,
) -> Any:
    """Compares the rows of two jobs, of 100,000 rows at most each; a conflict (409) when there are more.

    Where there is no earlier run, `against` is null and there are no changes.
    """
    found = await app.changes.compare(
        JobId(job_id),
        caller.sees,
        None if against is None else JobId(against),
        by,
        kind=kind,
        skip=skip,
        limit=limit,
    )
    differences = found.differences
    return as_json(
        {
            "job_id": found.job,
            "against": found.against,
            "by": found.by,
            "new": differences.count("new"),
            "changed": differences.count("changed"),
            "gone": differences.count("gone"),
            "same": differences.same,
            "changes": [
                {
                    "kind": one.kind,
                    "key": one.key,
                    "fields": list(one.fields),
                    "before": None if one.before is None else dict(one.before),
                    "after": None if one.after is None else dict(one.after),
                }
                for one in found.shown
            ],
        }
    )


def _point_view(point: Point) -> dict[str, Any]:
    pages = point.pages
    return {
        "at": point.at,
        "pages": pages,
        "ok": point.ok,
        "redirected": point.redirected,
        "refused": point.refused,
        "broken": point.broken,
        "silent": point.silent,
        "items": point.items,
        "bytes": point.bytes,
        "latency": round(point.fetch_ms / pages / 1_000, 4) if pages else 0.0,
        "slowest": round(point.slowest_ms / 1_000, 4),
    }
