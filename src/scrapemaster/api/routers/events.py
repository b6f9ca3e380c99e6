"""`/jobs/{id}/events` and `/jobs/{id}/log`: following a job."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import orjson
from fastapi import Header, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Receive, Scope, Send

from scrapemaster.api.routers.jobs import JobPath, as_json
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.events import LogLineAnswer
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.api.views import job_view, log_line_view, progress_view
from scrapemaster.domain.errors import StoreError
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import TERMINAL
from scrapemaster.services.feeds import Alive, End, FeedEvent, Items, LogEntry, Progress

router = Router(prefix="/jobs", tags=["jobs"], responses=UNAUTHENTICATED)

#: Milliseconds after which a client comes back whose stream ended without an `end`.
_RETRY = 2_000
#: What an event's id is behind its dot when nothing follows it.
_THE_END = "end"
_EXAMPLE = """retry: 2000

event: log
data: {"seq":1,"at":"2026-01-15T10:30:00.000000Z","level":"info","event":"created","message":"created"}
id: 1

event: progress
data: {"id":"01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d","status":"running","progress":45.5,"pages_fetched":91}
id: 1.1

event: items
data: {"items_scraped":68,"items_failed":2}
id: 1.2

"""


#: The schema of one event, as OpenAPI 3.2 has it and tools for 3.1 read it already.
_EVENT = {
    "type": "object",
    "description": "One event; `data` is a JSON object.",
    "properties": {
        "event": {"type": "string", "enum": ["log", "progress", "items", "end"]},
        "data": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
    },
}


class EventStream(StreamingResponse):
    """Server-Sent Events, whose source is closed at once when the client goes."""

    media_type = "text/event-stream"

    def __init__(self, source: AsyncGenerator[bytes]) -> None:
        super().__init__(source, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        async with contextlib.aclosing(self._source):
            await super().__call__(scope, receive, send)


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The stream.",
            "content": {"text/event-stream": {"itemSchema": _EVENT, "example": _EXAMPLE}},
        },
        204: {
            "description": "`Last-Event-ID` is that of an `end`: nothing follows, and browsers ask no more."
        },
        **NOT_FOUND,
        **INVALID,
    },
    summary="Follow a job",
)
async def events(
    *,
    job_id: JobPath,
    caller: CallerHere,
    app: Services,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=40,
            pattern=r"^(?:[0-9]{1,15}(?:\.(?:[0-9]{1,15}|end))?)?$",
            description="The id of the last event seen: log lines go on behind it. Browsers send it by themselves.",
            examples=["17.2"],
        ),
    ] = None,
) -> Response:
    """Server-Sent Events until the job is over; counts as one request.

    `log` is a line of the job's log (the lines there are come first), `progress` the job's state and figures whenever they changed, at most
    twice a second, `items` the number of items when it changed, `end` the job as it is in the end, after which the stream
    ends (its data is `null` when the job was deleted). Every 15 s of silence there is a comment. After an hour, or when the service
    stops, the stream ends without `end`: come back with `Last-Event-ID`, and no log line is lost that the log still has (its last 1,000).
    """
    job = await app.jobs.get(JobId(job_id), caller.sees)
    seq, _, rest = (last_event_id or "0").partition(".")
    if rest == _THE_END and job.status in TERMINAL:
        return Response(status_code=204)
    return EventStream(_encoded(app.feeds.follow(job.id, int(seq)), int(seq)))


@router.get(
    "/{job_id}/log",
    response_model=list[LogLineAnswer],
    responses={**NOT_FOUND, **INVALID},
    summary="Read a job's log",
)
async def log(
    *,
    job_id: JobPath,
    caller: CallerHere,
    app: Services,
    after: Annotated[int, Query(ge=0, le=10**12, description="`seq` of the last line seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Lines to return at most.")] = 100,
) -> Any:
    """What happened to the job, oldest first: the last 1,000 lines are kept.

    Pages that fail, are skipped or are to be tried again are told of when the first, second, fifth, tenth, twentieth … of them came to
    the same reason; `/errors` has them all.
    """
    lines = await app.jobs.log(JobId(job_id), caller.sees, after=after, limit=limit)
    return as_json([log_line_view(line) for line in lines])


async def _encoded(feed: AsyncGenerator[FeedEvent], seq: int) -> AsyncGenerator[bytes]:
    """A feed as text. An event's id is the number of the last log line before it, and for what is no line, a count behind a dot."""
    yield format_sse_event(retry=_RETRY)
    # When the store fails, the stream ends, and the client comes back as it does when the service stops.
    with contextlib.suppress(StoreError):
        async with contextlib.aclosing(_texts(feed, seq)) as texts:
            async for text in texts:
                yield text


async def _texts(feed: AsyncGenerator[FeedEvent], seq: int) -> AsyncGenerator[bytes]:
    count = 0
    async with contextlib.aclosing(feed):
        async for event in feed:
            count += 1
            match event:
                case LogEntry(line):
                    seq, count = line.seq, 0
                    yield _event("log", log_line_view(line), str(seq))
                case Progress(job):
                    yield _event("progress", progress_view(job), f"{seq}.{count}")
                case Items(job):
                    figures = {"items_scraped": job.counters.items, "items_failed": job.counters.items_failed}
                    yield _event("items", figures, f"{seq}.{count}")
                case End(job):
                    yield _event("end", None if job is None else job_view(job), f"{seq}.{_THE_END}")
                case Alive():
                    yield format_sse_event(comment="alive")


def _event(name: str, data: Any, event_id: str) -> bytes:
    return format_sse_event(event=name, data_str=orjson.dumps(data).decode(), id=event_id)
