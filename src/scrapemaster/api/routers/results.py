"""`/results`: rows, in pages and in files."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from scrapemaster.api.routers.jobs import JobPath, as_json
from scrapemaster.api.schemas.errors import INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.results import ResultsAnswer
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.ids import JobId
from scrapemaster.export.lines import json_array, json_lines
from scrapemaster.export.rows import Rows
from scrapemaster.export.table import csv_table
from scrapemaster.export.timestamps import iso

router = APIRouter(prefix="/results", tags=["results"], responses=UNAUTHENTICATED)

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class ExportFormat(StrEnum):
    """Files that rows are written to."""

    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


_MEDIA = {
    ExportFormat.JSON: "application/json",
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/x-ndjson",
}


@router.get("/{job_id}", response_model=ResultsAnswer, responses={**NOT_FOUND, **INVALID}, summary="Get rows")
async def page(
    *,
    job_id: JobPath,
    caller: CallerHere,
    app: Services,
    skip: Annotated[int, Query(ge=0, le=10**12, description="Rows to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows to return at most.")] = 100,
    cursor: Annotated[
        str | None,
        Query(max_length=20, description="`next` of the page before, instead of `skip`.", examples=["100"]),
    ] = None,
) -> Any:
    """Rows in the order in which they were stored, which never changes, also while the job runs."""
    after = skip
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit()):
            raise InvalidInput("cursor must be the `next` of another page", ("cursor",))
        after = int(cursor)
    found = await app.results.page(JobId(job_id), caller.sees, after=after, limit=limit)
    return as_json(
        {
            "job_id": job_id,
            "total": found.total,
            "skip": after,
            "limit": limit,
            "next": None if found.next_after is None else str(found.next_after),
            "results": [
                {
                    "job_id": row.job_id,
                    "url": row.url,
                    "data": orjson.Fragment(row.data),
                    "scraped_at": iso(row.scraped_at),
                }
                for row in found.rows
            ],
        }
    )


@router.get(
    "/{job_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file.",
            "content": {
                "application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/ResultAnswer"}}
                },
                "text/csv": {"schema": {"type": "string"}, "example": "url,scraped_at,title\r\n"},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
        **NOT_FOUND,
        **INVALID,
    },
    summary="Download all rows",
)
async def export(
    *,
    job_id: JobPath,
    caller: CallerHere,
    app: Services,
    format: Annotated[ExportFormat, Query(description="The kind of file.")] = ExportFormat.JSON,  # noqa: A002 -- the API's name
    fields: Annotated[
        str | None,
        Query(max_length=10_000, description="CSV: columns, separated by commas.", examples=["title,price"]),
    ] = None,
    flatten: Annotated[
        bool, Query(description="CSV: nested objects become columns such as `size.width`.")
    ] = True,
    bom: Annotated[bool, Query(description="CSV: begin with a byte order mark, for Excel.")] = False,
    raw: Annotated[
        bool, Query(description="CSV: leave cells as they are that a spreadsheet would run.")
    ] = False,
) -> Any:
    """All rows there are now, streamed."""
    job = await app.results.job(JobId(job_id), caller.sees)
    rows: Rows = lambda: app.results.stream(job.id)  # noqa: E731 -- a name for the reader
    names = [name.strip() for name in fields.split(",") if name.strip()] if fields else None
    writers: dict[ExportFormat, Callable[[], AsyncIterator[bytes]]] = {
        ExportFormat.JSON: lambda: json_array(rows),
        ExportFormat.JSONL: lambda: json_lines(rows),
        ExportFormat.CSV: lambda: csv_table(rows, fields=names, flatten=flatten, bom=bom, raw=raw),
    }
    name = _UNSAFE.sub("-", job.name or job.id)[:80].strip("-.") or job.id
    return StreamingResponse(
        writers[format](),
        media_type=_MEDIA[format],
        headers={"Content-Disposition": f'attachment; filename="{name}.{format}"'},
    )
