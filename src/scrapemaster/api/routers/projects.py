"""`/projects`: Scrapy projects, uploaded by admins, whose spiders everybody may run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Path, Response

from scrapemaster.api.routers.jobs import as_json
from scrapemaster.api.routing import Router
from scrapemaster.api.schemas.errors import CONFLICT, FORBIDDEN, INVALID, NOT_FOUND, UNAUTHENTICATED
from scrapemaster.api.schemas.projects import ProjectAnswer, ProjectBody, VersionAnswer
from scrapemaster.api.security import AdminHere, CallerHere, Services
from scrapemaster.domain.spider import ProjectVersion
from scrapemaster.export.timestamps import iso
from scrapemaster.services.projects import Upload

router = Router(prefix="/projects", tags=["projects"], responses=UNAUTHENTICATED)

ProjectPath = Annotated[str, Path(max_length=100, description="The project's name.", examples=["shop"])]
VersionPath = Annotated[str, Path(max_length=100, description="The version's name.", examples=["1.0"])]


def version_view(version: ProjectVersion) -> dict[str, Any]:
    """A version's object."""
    return {
        "project": version.project,
        "version": version.version,
        "spiders": list(version.spiders),
        "settings": version.settings,
        "checksum": version.checksum,
        "size": version.size,
        "uploaded_at": iso(version.uploaded_at),
        "uploaded_by": version.uploaded_by,
    }


@router.post(
    "",
    status_code=201,
    response_model=VersionAnswer,
    responses={**FORBIDDEN, **CONFLICT, **INVALID},
    summary="Upload a project",
)
async def add(
    body: Annotated[ProjectBody, Form(media_type="multipart/form-data")], admin: AdminHere, app: Services
) -> Any:
    """For admins: the project's code will run on this service. It is looked into and its spiders are listed, in a process of its own, before it is stored.

    A version that is there already is a conflict (409): a name always means the same code.
    """
    upload = Upload(body.project, body.version, await body.file.read())
    return as_json(version_view(await app.spiders.projects.add(upload, admin.user.id)), 201)


@router.get("", response_model=list[ProjectAnswer], summary="List projects")
async def find(_caller: CallerHere, app: Services) -> Any:
    """All projects, by name."""
    return as_json(
        [
            {
                "project": versions[-1].project,
                "latest": versions[-1].version,
                "spiders": list(versions[-1].spiders),
                "versions": [one.version for one in versions],
            }
            for versions in await app.spiders.projects.find()
        ]
    )


@router.get(
    "/{project}",
    response_model=list[VersionAnswer],
    responses={**NOT_FOUND, **INVALID},
    summary="List a project's versions",
)
async def versions(project: ProjectPath, _caller: CallerHere, app: Services) -> Any:
    """The oldest upload first."""
    return as_json([version_view(one) for one in await app.spiders.projects.versions(project)])


@router.get(
    "/{project}/{version}",
    response_model=VersionAnswer,
    responses={**NOT_FOUND, **INVALID},
    summary="Get a version",
)
async def get(project: ProjectPath, version: VersionPath, _caller: CallerHere, app: Services) -> Any:
    """The version, with its spiders."""
    return as_json(version_view(await app.spiders.projects.get(project, version)))


@router.delete(
    "/{project}",
    status_code=204,
    responses={**FORBIDDEN, **NOT_FOUND, **INVALID},
    summary="Remove a project",
)
async def delete(project: ProjectPath, _admin: AdminHere, app: Services) -> Response:
    """Removes all its versions. Spiders that run go on; jobs that wait for one fail."""
    await app.spiders.projects.delete(project)
    return Response(status_code=204)


@router.delete(
    "/{project}/{version}",
    status_code=204,
    responses={**FORBIDDEN, **NOT_FOUND, **INVALID},
    summary="Remove a version",
)
async def delete_version(
    project: ProjectPath, version: VersionPath, _admin: AdminHere, app: Services
) -> Response:
    """Removes one version. Spiders that run go on; jobs that wait for it fail."""
    await app.spiders.projects.delete(project, version)
    return Response(status_code=204)
