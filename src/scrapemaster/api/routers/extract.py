"""`/extract`: trying selectors."""

from __future__ import annotations

from typing import Any

from scrapemaster.api.routers.jobs import as_json
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import INVALID, TOO_MANY, UNAUTHENTICATED
from scrapemaster.api.schemas.preview import LookAnswer, LookBody, PreviewAnswer, PreviewBody
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.api.views import look_view, preview_view

router = Router(prefix="/extract", tags=["extract"], responses=UNAUTHENTICATED)


@router.post(
    "/preview",
    response_model=PreviewAnswer,
    responses={**INVALID, **TOO_MANY},
    summary="Try selectors on a page",
)
async def preview(body: PreviewBody, caller: CallerHere, app: Services) -> Any:
    """A dry run: the page is fetched under the same rules and limits as a job's, and nothing is stored.

    A page that cannot be had, or cannot be extracted in time, gives 200 with `error`; selectors and config that no job could
    be made of give 422, as for jobs.
    """
    return as_json(preview_view(await app.preview.preview(body.to_order(), body.html, caller.user.id)))


@router.post(
    "/page",
    response_model=LookAnswer,
    responses={**INVALID, **TOO_MANY},
    summary="Look at a page",
)
async def page(body: LookBody, caller: CallerHere, app: Services) -> Any:
    """The page as the engine gets it, made safe to look at: for choosing elements in it.

    Scripts, event handlers, frames, plug-ins and whatever else runs or loads something are gone; attributes that would load something are kept under names that
    begin with `data-sm-`. The style sheets are there as text, those of other files too, with nothing in them that loads anything. A page that cannot be had
    gives 200 with `error`. Nothing is stored.
    """
    return as_json(look_view(await app.preview.look(body.to_order(), caller.user.id)))
