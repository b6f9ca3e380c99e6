"""`/jobs`: ordering, looking, acting."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import Header, Path, Query, Request, Response

from scrapemaster.api.routing import CallersRoute, Router
from scrapemaster.api.schemas.bulk import BulkAnswer, BulkBody
from scrapemaster.api.schemas.errors import CONFLICT, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.jobs import FailedPageAnswer, JobAnswer, JobBody, NewJobAnswer
from scrapemaster.api.security import CallerHere, Services, caller_of, services_of
from scrapemaster.api.views import failed_page_view, job_view
from scrapemaster.domain.idempotency import OrderKey, body_hash
from scrapemaster.domain.ids import JobId, ScheduleId
from scrapemaster.domain.job import JobStatus, Priority
from scrapemaster.ports.jobs import SORTABLE, JobQuery
from scrapemaster.services.bulk import act_on_all

router = Router(prefix="/jobs", tags=["jobs"], responses=UNAUTHENTICATED, route_class=CallersRoute)

JobPath = Annotated[
    str, Path(max_length=100, description="The job's id.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
]
_SORTS = sorted([*SORTABLE, *(f"-{name}" for name in SORTABLE)])


class JsonBytes(Response):
    """JSON that is encoded already."""

    media_type = "application/json"


def as_json(content: Any, status: int = 200) -> JsonBytes:
    """An answer, encoded by orjson."""
    return JsonBytes(orjson.dumps(content), status)


# The first, because routes are tried in this order, and clients that poll ask for it all the time.
@router.get("/{job_id}", response_model=JobAnswer, responses={**NOT_FOUND, **INVALID}, summary="Get a job")
async def get(
    request: Request,
    job_id: JobPath,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the job to end before answering.")
    ] = 0.0,
) -> Any:
    """The job as it is now, or as it is once it ended or `wait` seconds went by."""
    caller, app = caller_of(request), services_of(request)
    if wait:
        return as_json(job_view(await app.jobs.when_over(JobId(job_id), caller.sees, wait)))
    return as_json(job_view(await app.jobs.get(JobId(job_id), caller.sees)))


@router.post(
    "",
    status_code=201,
    response_model=NewJobAnswer,
    responses={
        200: {"model": JobAnswer, "description": "The job that the same `Idempotency-Key` made before."},
        **CONFLICT,
        **INVALID,
    },
    summary="Create a job",
)
async def create(
    body: JobBody,
    caller: CallerHere,
    app: Services,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern=r"^[\x20-\x7e]+$",
            description="A text of yours that names this order, such as a UUID: 1 to 255 printable ASCII characters.",
            examples=["7f3c0a52-5d0e-4c36-9d2b-0f3b6f0f7a11"],
        ),
    ] = None,
) -> Any:
    """The job is stored when this answers, and starts at once if a worker is free.

    With an `Idempotency-Key` an order may be sent again without harm, when the answer was lost or several clients send it: for 24 hours
    the same key and body give the job it made (200, as it is now), another body is a conflict (409). Bodies are the same
    if they mean the same JSON. Keys are each user's own. A key whose job was deleted makes no other one (409).
    """
    key = None
    if idempotency_key is not None:
        asked = body.model_dump(mode="json", exclude_unset=True)
        key = OrderKey(idempotency_key, body_hash(asked))
    order = body.to_order()
    job, new = await app.jobs.create(order, caller.user.id, key)
    shown = job_view(job)
    if new and order.hook is not None:
        shown["webhook_secret"] = order.hook.secret
    return as_json(shown, 201 if new else 200)


@router.get("", response_model=list[JobAnswer], responses=INVALID, summary="List jobs")
async def find(
    *,
    request: Request,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Jobs to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs to return at most.")] = 50,
    status: Annotated[JobStatus | None, Query(description="Only jobs in this state.")] = None,
    engine: Annotated[
        Literal["auto", "http", "scrapy", "browser"] | None,
        Query(description="Only jobs that asked for this engine."),
    ] = None,
    priority: Annotated[Priority | None, Query(description="Only jobs of this priority.")] = None,
    tag: Annotated[str | None, Query(max_length=100, description="Only jobs with this tag.")] = None,
    schedule: Annotated[
        str | None, Query(max_length=100, description="Only jobs that this schedule ordered.")
    ] = None,
    q: Annotated[str | None, Query(max_length=200, description="Text to look for in name and URLs.")] = None,
    sort: Annotated[
        str,
        Query(
            pattern=f"^(?:{'|'.join(_SORTS)})$",
            description=f"One of {', '.join(sorted(SORTABLE))}; with `-` in front: descending.",
        ),
    ] = "-created_at",
) -> Any:
    """The caller's jobs (an admin's: all). `X-Total-Count` says how many match, `Link` leads to the other pages."""
    jobs, total = await services_of(request).jobs.find(
        JobQuery(
            owner=caller_of(request).sees,
            status=status,
            engine=engine,
            priority=priority,
            tag=tag,
            schedule=None if schedule is None else ScheduleId(schedule),
            text=q,
            sort=sort,
            skip=skip,
            limit=limit,
        )
    )
    answer = as_json([job_view(job) for job in jobs])
    answer.headers["X-Total-Count"] = str(total)
    links = page_links(request, skip, limit, total)
    if links:
        answer.headers["Link"] = links
    return answer


@router.post("/bulk", response_model=BulkAnswer, responses=INVALID, summary="Act on many jobs")
async def bulk(body: BulkBody, caller: CallerHere, app: Services) -> Any:
    """Does one thing to each of the jobs, as the request for a single one does; counts as one request.

    Jobs whose state forbids it, and those that are not there, are listed with the reason; the others are done.
    """
    ids = [JobId(job_id) for job_id in body.ids]
    done, refused = await act_on_all(app.jobs, body.action, ids, caller.sees)
    return as_json({"done": done, "refused": [{"id": one.job, "detail": one.detail} for one in refused]})


@router.delete(
    "/{job_id}",
    status_code=204,
    responses={**NOT_FOUND, **INVALID},
    summary="Cancel a job, or remove one that is over",
)
async def delete(job_id: JobPath, caller: CallerHere, app: Services) -> Response:
    """A job that is not over is cancelled and stays with its results; one that is over is removed with them."""
    await app.jobs.delete(JobId(job_id), caller.sees)
    return Response(status_code=204)


@router.post(
    "/{job_id}/cancel",
    response_model=JobAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Cancel a job",
)
async def cancel(job_id: JobPath, caller: CallerHere, app: Services) -> Any:
    """Ends the job within two seconds; its results stay."""
    return as_json(job_view(await app.jobs.cancel(JobId(job_id), caller.sees)))


@router.post(
    "/{job_id}/pause",
    response_model=JobAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Pause a job",
)
async def pause(job_id: JobPath, caller: CallerHere, app: Services) -> Any:
    """Stops fetching within two seconds, until the job is resumed."""
    return as_json(job_view(await app.jobs.pause(JobId(job_id), caller.sees)))


@router.post(
    "/{job_id}/resume",
    response_model=JobAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Resume a job",
)
async def resume(job_id: JobPath, caller: CallerHere, app: Services) -> Any:
    """Goes on where the job was paused."""
    return as_json(job_view(await app.jobs.resume(JobId(job_id), caller.sees)))


@router.post(
    "/{job_id}/retry",
    response_model=JobAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Fetch failed pages again",
)
async def retry(job_id: JobPath, caller: CallerHere, app: Services) -> Any:
    """Only the pages that failed, not those that were skipped by rule; a conflict (409) when there is none.

    A job that is not over goes on with them. One that is over never changes: a new job is made of its failed pages, with the same
    order, and returned; its `retry_of` is the old one's id. It follows links only to pages that the old one did not know.
    """
    return as_json(job_view(await app.jobs.retry(JobId(job_id), caller.sees)))


@router.get(
    "/{job_id}/errors",
    response_model=list[FailedPageAnswer],
    responses={**NOT_FOUND, **INVALID},
    summary="Pages that failed",
)
async def errors(
    *,
    job_id: JobPath,
    request: Request,
    caller: CallerHere,
    app: Services,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Pages to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Pages to return at most.")] = 100,
) -> Any:
    """Pages that failed or were skipped by rule, with the reason, oldest first."""
    pages, total = await app.jobs.failures(JobId(job_id), caller.sees, skip=skip, limit=limit)
    answer = as_json([failed_page_view(page) for page in pages])
    answer.headers["X-Total-Count"] = str(total)
    links = page_links(request, skip, limit, total)
    if links:
        answer.headers["Link"] = links
    return answer


def page_links(request: Request, skip: int, limit: int, total: int) -> str:
    """The Link header (RFC 8288) of a page of a list."""
    places = {"first": 0, "last": max(0, (total - 1) // limit * limit)}
    if skip > 0:
        places["prev"] = max(0, skip - limit)
    if skip + limit < total:
        places["next"] = skip + limit
    return ", ".join(
        f'<{request.url.include_query_params(skip=place, limit=limit)}>; rel="{rel}"'
        for rel, place in sorted(places.items())
    )
