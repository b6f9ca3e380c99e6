"""`/schedules`: standing orders."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request, Response

from scrapemaster.api.routers.jobs import as_json, page_links
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import CONFLICT, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.jobs import JobAnswer
from scrapemaster.api.schemas.schedules import NewScheduleAnswer, ScheduleAnswer, ScheduleBody, ScheduleChange
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.api.views import job_view, schedule_view
from scrapemaster.domain.ids import ScheduleId
from scrapemaster.services.jobs import JobOrder

router = Router(prefix="/schedules", tags=["schedules"], responses=UNAUTHENTICATED)

SchedulePath = Annotated[
    str,
    Path(max_length=100, description="The schedule's id.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"]),
]


@router.post(
    "",
    status_code=201,
    response_model=NewScheduleAnswer,
    responses={**CONFLICT, **INVALID},
    summary="Create a schedule",
)
async def create(body: ScheduleBody, caller: CallerHere, app: Services) -> Any:
    """Orders `job` whenever `cron` is due in `timezone`, each minute at most. The job is checked now, as `POST /jobs` does.

    A run that was missed, because the service was down, is made up for once. On the days when clocks change, an expression
    with a fixed minute and hour runs exactly once: at the first moment after a leap over its time, and at the first of two equal times.
    A conflict (409) when you have as many schedules as are allowed.
    """
    draft = body.to_draft()
    schedule = await app.schedules.create(draft, caller.user.id)
    return as_json({**schedule_view(schedule), **_secret_of(draft.job)}, 201)


@router.get("", response_model=list[ScheduleAnswer], responses=INVALID, summary="List schedules")
async def find(
    *,
    request: Request,
    caller: CallerHere,
    app: Services,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Schedules to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="Schedules to return at most.")] = 50,
) -> Any:
    """The caller's schedules (an admin's: all), latest first. `X-Total-Count` says how many there are."""
    schedules, total = await app.schedules.find(caller.sees, skip=skip, limit=limit)
    answer = as_json([schedule_view(schedule) for schedule in schedules])
    answer.headers["X-Total-Count"] = str(total)
    answer.headers["Link"] = page_links(request, skip, limit, total)
    return answer


@router.get(
    "/{schedule_id}",
    response_model=ScheduleAnswer,
    responses={**NOT_FOUND, **INVALID},
    summary="Get a schedule",
)
async def get(schedule_id: SchedulePath, caller: CallerHere, app: Services) -> Any:
    """The schedule, with its next and its last run."""
    return as_json(schedule_view(await app.schedules.get(ScheduleId(schedule_id), caller.sees)))


@router.patch(
    "/{schedule_id}",
    response_model=NewScheduleAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Change a schedule",
)
async def change(schedule_id: SchedulePath, body: ScheduleChange, caller: CallerHere, app: Services) -> Any:
    """Changes what is named. With a new `cron`, `timezone` or `enabled` the next run is counted anew from now.

    What was due while it was not enabled is not made up for.
    """
    changes = body.to_changes()
    schedule = await app.schedules.change(ScheduleId(schedule_id), caller.sees, changes)
    return as_json({**schedule_view(schedule), **_secret_of(changes.get("job"))})


@router.delete(
    "/{schedule_id}", status_code=204, responses={**NOT_FOUND, **INVALID}, summary="Delete a schedule"
)
async def delete(schedule_id: SchedulePath, caller: CallerHere, app: Services) -> Response:
    """It orders nothing more; its jobs stay."""
    await app.schedules.delete(ScheduleId(schedule_id), caller.sees)
    return Response(status_code=204)


@router.post(
    "/{schedule_id}/run",
    status_code=201,
    response_model=JobAnswer,
    responses={**NOT_FOUND, **CONFLICT, **INVALID},
    summary="Run a schedule now",
)
async def run(schedule_id: SchedulePath, caller: CallerHere, app: Services) -> Any:
    """Orders its job now, enabled or not, and returns it; the next run stays as it is.

    A conflict (409) when its last job is not over and its `overlap` is `skip`.
    """
    return as_json(job_view(await app.schedules.run_now(ScheduleId(schedule_id), caller.sees)), 201)


def _secret_of(order: JobOrder | None) -> dict[str, str]:
    """The secret of a new order's webhook, shown once."""
    return {} if order is None or order.hook is None else {"webhook_secret": order.hook.secret}
