"""`/results/{job_id}/export`: all rows in a file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response

from scrapemaster.api.downloads import Download
from scrapemaster.api.routers.jobs import JobPath
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.domain.ids import JobId
from scrapemaster.export.names import content_disposition, file_stem
from scrapemaster.export.order import ExportFormat, ExportOrder, fields_of

router = Router(prefix="/results", tags=["results"], responses=UNAUTHENTICATED)

_MEDIA = {
    ExportFormat.JSON: "application/json",
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/x-ndjson",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
    ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
#: Media types that are compressed already.
COMPRESSED = (_MEDIA[ExportFormat.PARQUET], _MEDIA[ExportFormat.XLSX])
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/{job_id}/export",
    response_class=Response,
    responses={
        200: {
            "description": "The file.",
            "content": {
                "application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/ResultAnswer"}}
                },
                "text/csv": {"schema": {"type": "string"}, "example": "url,scraped_at,title\r\n"},
                "application/x-ndjson": {"schema": {"type": "string"}},
                **dict.fromkeys(COMPRESSED, _BINARY),
            },
            "headers": {
                "Content-Disposition": {
                    "description": "`attachment` with a file name made from the job's name (RFC 6266).",
                    "schema": {"type": "string"},
                }
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
        Query(
            max_length=6_000,
            description="Fields to write, in this order, separated by commas; `size.width` reaches into `size`. "
            'A name with a comma stands in double quotes: `title,"a,b"`. Default: all.',
            examples=["title,price"],
        ),
    ] = None,
    flatten: Annotated[
        bool | None,
        Query(
            description="Nested objects become fields such as `size.width`. Default: true for csv, parquet and xlsx, false for "
            "json and jsonl."
        ),
    ] = None,
    bom: Annotated[bool, Query(description="CSV: begin with a byte order mark, for Excel.")] = False,
    raw: Annotated[
        bool, Query(description="CSV: leave cells as they are that a spreadsheet would run.")
    ] = False,
) -> Any:
    """All rows there are now. While the job runs that is a consistent part: the first rows, none of them left out.

    `json`, `jsonl` and `csv` are streamed; `parquet` and `xlsx` are written first and then sent, and need an extra of the
    same name to be installed on the server (400 says so). An xlsx sheet that is full is followed by another; a text too long for a
    cell, or more columns than a sheet has, is refused (422).
    """
    job = await app.results.job(JobId(job_id), caller.sees)
    order = ExportOrder(format, fields_of(fields), flatten, bom, raw)
    rows = await app.results.snapshot(job.id)
    return Download(
        app.exporter.export(rows, order),
        _MEDIA[format],
        content_disposition(file_stem(job.name, job.id), format),
    )
