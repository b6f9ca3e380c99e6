"""`/artefacts`: screenshots and documents made of pages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query, Request
from fastapi.responses import StreamingResponse

from scrapemaster.api.routers.jobs import JobPath, as_json, page_links
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.artefacts import ArtefactAnswer
from scrapemaster.api.schemas.errors import INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.security import CallerHere, Services
from scrapemaster.domain.ids import ArtefactId, JobId
from scrapemaster.domain.rendering import Artefact, ArtefactKind
from scrapemaster.export.timestamps import iso

router = Router(tags=["artefacts"], responses=UNAUTHENTICATED)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
#: Media types that are compressed already.
COMPRESSED = tuple(sorted({kind.media_type for kind in ArtefactKind}))


@router.get(
    "/jobs/{job_id}/artefacts",
    response_model=list[ArtefactAnswer],
    responses={**NOT_FOUND, **INVALID},
    summary="List files made of pages",
)
async def find(
    *,
    job_id: JobPath,
    request: Request,
    caller: CallerHere,
    app: Services,
    skip: Annotated[int, Query(ge=0, le=10**9, description="Files to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Files to return at most.")] = 100,
) -> Any:
    """Screenshots and PDFs that `config.browser` asked for, in the order in which they were stored; removed with the job."""
    artefacts, total = await app.artefacts.find(JobId(job_id), caller.sees, skip=skip, limit=limit)
    answer = as_json([_view(one) for one in artefacts])
    answer.headers["X-Total-Count"] = str(total)
    links = page_links(request, skip, limit, total)
    if links:
        answer.headers["Link"] = links
    return answer


@router.get(
    "/artefacts/{artefact_id}",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file.",
            "content": dict.fromkeys(COMPRESSED, _BINARY),
            "headers": {
                "Content-Disposition": {
                    "description": "`attachment`, with a file name.",
                    "schema": {"type": "string"},
                }
            },
        },
        **NOT_FOUND,
        **INVALID,
    },
    summary="Download a file made of a page",
)
async def get(
    artefact_id: Annotated[
        str,
        Path(max_length=100, description="The file's id.", examples=["5f0c1b9a3f2e4d6c8b7a695847362514"]),
    ],
    caller: CallerHere,
    app: Services,
) -> Any:
    """Its type is what we made it, never what a server said; it is sent as an attachment, so that no browser shows it in our name."""
    artefact = await app.artefacts.get(ArtefactId(artefact_id), caller.sees)
    name = f"{artefact.kind}-{artefact.id}.{artefact.kind.suffix}"
    return StreamingResponse(
        app.artefacts.read(artefact),
        media_type=artefact.kind.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(artefact.size),
        },
    )


def _view(artefact: Artefact) -> dict[str, Any]:
    return {
        "id": artefact.id,
        "job_id": artefact.job_id,
        "url": artefact.url,
        "kind": str(artefact.kind),
        "media_type": artefact.kind.media_type,
        "size": artefact.size,
        "created_at": iso(artefact.created_at),
        "href": f"/api/v1/artefacts/{artefact.id}",
    }
