"""`/results`: rows, in pages."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Query, Request

from scrapemaster.api.routers.jobs import JobPath, as_json
from scrapemaster.api.routing import CallersRoute, Router
from scrapemaster.api.schemas.errors import INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.results import ResultsAnswer
from scrapemaster.api.security import caller_of, services_of
from scrapemaster.domain.ids import JobId
from scrapemaster.export.timestamps import iso

router = Router(prefix="/results", tags=["results"], responses=UNAUTHENTICATED, route_class=CallersRoute)


@router.get("/{job_id}", response_model=ResultsAnswer, responses={**NOT_FOUND, **INVALID}, summary="Get rows")
async def page(
    *,
    request: Request,
    job_id: JobPath,
    skip: Annotated[int, Query(ge=0, le=10**12, description="Rows to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows to return at most.")] = 100,
    cursor: Annotated[
        str | None,
        Query(
            pattern="^[0-9]{1,12}$",
            description="`next` of the page before, instead of `skip`.",
            examples=["100"],
        ),
    ] = None,
    q: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            description="Only rows with this text in their data or their page's URL; ASCII letters match in either case.",
            examples=["lamp"],
        ),
    ] = None,
) -> Any:
    """Rows in the order in which they were stored, which never changes, also while the job runs.

    With `q` some 100,000 rows are looked at for each request: there may be fewer than `limit` in the answer, even none, while `next` says where to
    go on. `total` is always that of all rows.
    """
    caller, app = caller_of(request), services_of(request)
    after = skip if cursor is None else int(cursor)
    if q is None:
        found = await app.results.page(JobId(job_id), caller.sees, after=after, limit=limit)
    else:
        found = await app.results.search(JobId(job_id), caller.sees, q, after=after, limit=limit)
    return as_json(
        {
            "job_id": job_id,
            "total": found.total,
            "skip": after,
            "limit": limit,
            "next": None if found.next_after is None else str(found.next_after),
            "results": [
                {
                    "job_id": job_id,
                    "url": url,
                    "data": orjson.Fragment(data),
                    "scraped_at": iso(at),
                    "engine_used": found.engine if way is None else way.partition("/")[0],
                    "engine_reason": None if way is None else way.partition("/")[2],
                }
                for _, _, _, _, url, data, at, way in found.rows
            ],
        }
    )
