"""`/events`: following all of one's jobs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import orjson
from fastapi import Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from scrapemaster.api.routers.events import EventStream
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import UNAUTHENTICATED
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.api.views import job_view
from scrapemaster.services.feeds import Alive
from scrapemaster.services.lists import Changed, Counted, ListEvent

router = Router(tags=["jobs"], responses=UNAUTHENTICATED)

#: Milliseconds after which a client comes back whose stream ended.
_RETRY = 2_000
_EXAMPLE = """retry: 2000

event: counts
data: {"status_counts":{"pending":0,"running":1,"paused":0,"completed":12,"failed":1,"cancelled":0},"total_items_scraped":1480}

event: job
data: {"id":"01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d","status":"running","progress":45.5,"pages_fetched":91}

"""
_EVENT = {
    "type": "object",
    "description": "One event; `data` is a JSON object.",
    "properties": {
        "event": {"type": "string", "enum": ["job", "counts"]},
        "data": {"type": "string"},
        "retry": {"type": "integer"},
    },
}


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The stream.",
            "content": {"text/event-stream": {"itemSchema": _EVENT, "example": _EXAMPLE}},
        }
    },
    summary="Follow all jobs",
)
async def follow(caller: CallerHere, app: Services) -> Response:
    """Server-Sent Events about the caller's jobs (an admin's: all); counts as one request, however long it lasts.

    `job` is a job's object, whenever a running one has changed and once when it ends, at most once a second; of more than 100 that run, the youngest.
    `counts` says how many jobs there are in each state and how many rows, whenever that changed. Every 15 s of silence there is a comment. After an
    hour, or when the service stops, the stream ends: come back, and it begins with the present state.
    """
    return EventStream(_encoded(app.lists.follow(caller.sees)))


async def _encoded(feed: AsyncGenerator[ListEvent]) -> AsyncGenerator[bytes]:
    yield format_sse_event(retry=_RETRY)
    async with contextlib.aclosing(feed):
        async for event in feed:
            match event:
                case Changed(job):
                    yield format_sse_event(event="job", data_str=orjson.dumps(job_view(job)).decode())
                case Counted(counts, items):
                    data = {"status_counts": counts, "total_items_scraped": items}
                    yield format_sse_event(event="counts", data_str=orjson.dumps(data).decode())
                case Alive():
                    yield format_sse_event(comment="alive")
