"""Scrapyd's JSON API (https://scrapyd.readthedocs.io/en/latest/api.html), so that its clients can talk to us."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from scrapemaster.api.basic import BasicCaller
from scrapemaster.api.schemas.errors import COMMON
from scrapemaster.api.schemas.scrapyd import (
    Added,
    Cancelled,
    DaemonStatus,
    JobList,
    ProjectNames,
    Scheduled,
    ScrapydAnswer,
    ScrapydError,
    SpiderNames,
    State,
    VersionNames,
)
from scrapemaster.api.security import Services
from scrapemaster.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    TooMany,
    UserError,
)
from scrapemaster.domain.job import Job
from scrapemaster.export.timestamps import iso
from scrapemaster.services.callers import Caller
from scrapemaster.services.projects import Upload
from scrapemaster.services.scrapyd import ScrapydOrder, jobid_of, state_of

#: Statuses with which Scrapyd's clients see that something failed; scrapyd-deploy goes by them.
_STATUS: Mapping[type[UserError], int] = {
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    InvalidInput: 400,
    TooMany: 429,
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ScrapydError, "description": description}
    for status, description in {
        400: "What was sent cannot be used.",
        401: "Missing or wrong credentials.",
        403: "Known, but not allowed.",
        404: "There is none, or it is somebody else's.",
        409: "The state of things forbids it.",
        422: "A parameter cannot be what it is.",
        429: "A limit is spent.",
    }.items()
}
#: Lines that a log is served with at most, as many as are kept.
_LINES = 1_000


class _Route(APIRoute):
    """A route whose errors have Scrapyd's shape."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """See FastAPI."""
        handle = cast("Callable[[Request], Awaitable[Response]]", super().get_route_handler())

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                name = ".".join(str(part)[:100] for part in first["loc"][1:])
                return JSONResponse(_said("error", message=f"'{name}': {first['msg']}"), 422)
            except HTTPException as error:  # the framework's own, of a form that cannot be read
                return JSONResponse(_said("error", message=str(error.detail)), error.status_code)
            except UserError as error:
                status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
                headers = {}
                if status == 401:
                    headers["WWW-Authenticate"] = 'Basic realm="ScrapeMaster", charset="UTF-8"'
                if isinstance(error, TooMany):
                    headers["Retry-After"] = str(int(error.retry_after) + 1)
                return JSONResponse(_said("error", message=str(error)), status, headers)

        return handler


router = APIRouter(tags=["scrapyd"], responses=_ERRORS | {500: COMMON[500]}, route_class=_Route)

ProjectQuery = Annotated[str, Query(max_length=100, description="The project.", examples=["shop"])]


def _said(status: str = "ok", /, **content: Any) -> dict[str, Any]:
    return {"node_name": socket.gethostname(), "status": status, **content}


def _form_of(
    fields: Mapping[str, str], *needed: str, file: str | None = None, more: bool = False
) -> dict[str, Any]:
    """What the OpenAPI document says of a form."""
    properties: dict[str, Any] = {
        name: {"type": "string", "description": text} for name, text in fields.items()
    }
    if file is not None:
        properties[file] = {"type": "string", "format": "binary", "description": "The archive."}
    schema: dict[str, Any] = {"type": "object", "required": list(needed), "properties": properties}
    if more:
        schema["additionalProperties"] = {"type": "string"}
    kinds = ["multipart/form-data"] if file else ["application/x-www-form-urlencoded", "multipart/form-data"]
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}}


async def _form(request: Request) -> FormData:
    return await request.form(max_files=1, max_fields=1_000)


def _text(form: FormData, name: str) -> str:
    """A text that must be there; raises `InvalidInput`."""
    value = form.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"'{name}' parameter is required", (name,))
    return value


def _admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("only an admin may do this")


@router.get("/daemonstatus.json", response_model=DaemonStatus, summary="How many jobs there are")
async def daemonstatus(caller: BasicCaller, app: Services) -> Any:
    """Jobs of spiders that the caller may see."""
    return _said(**await app.spiders.scrapyd.counts(caller.sees))


@router.post(
    "/addversion.json",
    response_model=Added,
    summary="Upload a version of a project",
    openapi_extra=_form_of(
        {"project": "The project.", "version": "The version."}, "project", "version", "egg", file="egg"
    ),
)
async def addversion(request: Request, caller: BasicCaller, app: Services) -> Any:
    """For admins. A version that is there already is replaced, as Scrapyd does. `egg` may be a wheel or a zip, too."""
    _admin(caller)
    form = await _form(request)
    egg = form.get("egg")
    if not isinstance(egg, UploadFile):
        raise InvalidInput("'egg' parameter is required, and must be a file", ("egg",))
    upload = Upload(_text(form, "project"), _text(form, "version"), await egg.read(), replace=True)
    version = await app.spiders.projects.add(upload, caller.user.id)
    return _said(project=version.project, version=version.version, spiders=len(version.spiders))


@router.post(
    "/schedule.json",
    response_model=Scheduled,
    summary="Run a spider",
    openapi_extra=_form_of(
        {
            "project": "The project.",
            "spider": "The spider.",
            "_version": "The version; without it the latest.",
            "jobid": "An id of yours for the job.",
            "priority": "Above 0 goes first, below 0 last.",
            "setting": "A setting of Scrapy, such as `DOWNLOAD_DELAY=2`; may be given several times.",
        },
        "project",
        "spider",
        more=True,
    ),
)
async def schedule(request: Request, caller: BasicCaller, app: Services) -> Any:
    """Orders a job; every other field is an argument of the spider."""
    form = await _form(request)
    order = ScrapydOrder(
        project=_text(form, "project"),
        spider=_text(form, "spider"),
        version=str(form.get("_version") or ""),
        jobid=str(form.get("jobid") or ""),
        priority=_number(form.get("priority")),
        settings=dict(_setting(value) for value in form.getlist("setting")),
        args=_arguments(form),
    )
    return _said(jobid=await app.spiders.scrapyd.schedule(order, caller))


@router.post(
    "/cancel.json",
    response_model=Cancelled,
    summary="End a job",
    openapi_extra=_form_of(
        {
            "project": "The project.",
            "job": "The job's id.",
            "signal": "Not used: spiders are closed in order.",
        },
        "project",
        "job",
    ),
)
async def cancel(request: Request, caller: BasicCaller, app: Services) -> Any:
    """The spider is let close in order; its items stay."""
    form = await _form(request)
    return _said(
        prevstate=await app.spiders.scrapyd.cancel(_text(form, "job"), caller.sees, _text(form, "project"))
    )


@router.get("/listprojects.json", response_model=ProjectNames, summary="List projects")
async def listprojects(_caller: BasicCaller, app: Services) -> Any:
    """By name."""
    return _said(projects=[versions[0].project for versions in await app.spiders.projects.find()])


@router.get("/listversions.json", response_model=VersionNames, summary="List a project's versions")
async def listversions(_caller: BasicCaller, app: Services, project: ProjectQuery = "") -> Any:
    """The latest last; none for a project that is not there."""
    mine = [one for one in await app.spiders.projects.find() if one[0].project == _needed(project, "project")]
    return _said(versions=[version.version for versions in mine for version in versions])


@router.get("/listspiders.json", response_model=SpiderNames, summary="List spiders")
async def listspiders(
    _caller: BasicCaller,
    app: Services,
    project: ProjectQuery = "",
    version: Annotated[
        str, Query(alias="_version", max_length=100, description="Without it the latest.", examples=["r23"])
    ] = "",
) -> Any:
    """Those of the version."""
    found = await app.spiders.projects.get(_needed(project, "project"), version or None)
    return _said(spiders=list(found.spiders))


@router.get("/status.json", response_model=State, summary="A job's state")
async def status(
    caller: BasicCaller,
    app: Services,
    job: Annotated[str, Query(max_length=100, description="The job's id.")] = "",
    project: ProjectQuery = "",
) -> Any:
    """`unknown` for a job that is not there."""
    found = await app.spiders.scrapyd.find(_needed(job, "job"), caller.sees, project or None)
    return _said(currstate="unknown" if found is None else state_of(found))


@router.get("/listjobs.json", response_model=JobList, summary="List jobs")
async def listjobs(caller: BasicCaller, app: Services, project: ProjectQuery = "") -> Any:
    """The latest 500 of each state that the caller may see; of all projects when none is named."""
    found = await app.spiders.scrapyd.jobs(project or None, caller.sees)
    return _said(**{state: [_job_view(job, state) for job in jobs] for state, jobs in found.items()})


@router.post(
    "/delversion.json",
    response_model=ScrapydAnswer,
    summary="Remove a version",
    openapi_extra=_form_of({"project": "The project.", "version": "The version."}, "project", "version"),
)
async def delversion(request: Request, caller: BasicCaller, app: Services) -> Any:
    """For admins."""
    _admin(caller)
    form = await _form(request)
    await app.spiders.projects.delete(_text(form, "project"), _text(form, "version"))
    return _said()


@router.post(
    "/delproject.json",
    response_model=ScrapydAnswer,
    summary="Remove a project",
    openapi_extra=_form_of({"project": "The project."}, "project"),
)
async def delproject(request: Request, caller: BasicCaller, app: Services) -> Any:
    """For admins: all its versions."""
    _admin(caller)
    await app.spiders.projects.delete(_text(await _form(request), "project"))
    return _said()


@router.get(
    "/logs/{project}/{spider}/{job}.log",
    response_class=Response,
    responses={
        200: {
            "description": "The lines.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": "2026-01-01T00:00:00Z [started] INFO: started with the scrapy engine\n",
                }
            },
        }
    },
    summary="A job's log",
)
async def logs(
    project: Annotated[str, Path(max_length=100, description="The project.")],
    spider: Annotated[str, Path(max_length=200, description="The spider.")],
    job: Annotated[str, Path(max_length=100, description="The job's id.")],
    caller: BasicCaller,
    app: Services,
) -> Any:
    """The lines that are kept of it, as text."""
    found = await app.spiders.scrapyd.find(job, caller.sees, project)
    if found is None or found.spider is None or found.spider.name != spider:
        raise NotFound("Job not found")
    last = await app.jobs.log(found.id, caller.sees, after=0, limit=_LINES)
    lines = [f"{iso(line.at)} [{line.event}] {line.level.upper()}: {line.message}\n" for line in last]
    return PlainTextResponse("".join(lines))


def _job_view(job: Job, state: str) -> dict[str, Any]:
    """A job as Scrapyd lists it."""
    spider = job.spider
    if spider is None:
        return {}
    jobid = jobid_of(job)
    view: dict[str, Any] = {
        "id": jobid,
        "project": spider.project,
        "spider": spider.name,
        "version": spider.version,
        "args": dict(spider.args),
        "settings": dict(spider.settings),
    }
    if state != "pending":
        view |= {
            "start_time": _time(job.started_at or job.created_at),
            "log_url": f"/logs/{spider.project}/{spider.name}/{jobid}.log",
            "items_url": f"/api/v1/results/{job.id}/export?format=jsonl",
        }
    if state == "running":
        view["pid"] = None
    if state == "finished":
        view["end_time"] = _time(job.finished_at or job.created_at)
    return view


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _needed(value: str, name: str) -> str:
    if not value:
        raise InvalidInput(f"'{name}' parameter is required", (name,))
    return value


def _number(value: object) -> float:
    try:
        return float(str(value or 0))
    except ValueError:
        raise InvalidInput("'priority' is no number", ("priority",)) from None


def _setting(value: object) -> tuple[str, str]:
    name, sign, text = str(value).partition("=")
    if not sign:
        raise InvalidInput("'setting' is to be like DOWNLOAD_DELAY=2", ("setting",))
    return name, text


def _arguments(form: FormData) -> dict[str, str]:
    known = {"project", "spider", "_version", "jobid", "priority", "setting"}
    arguments = {name: value for name, value in form.multi_items() if name not in known}
    if len(arguments) > 100:
        raise InvalidInput("a spider has 100 arguments at most")
    texts = {name: value for name, value in arguments.items() if isinstance(value, str)}
    if len(texts) < len(arguments):
        raise InvalidInput("an argument of a spider is a text, not a file")
    return texts


def double_slashed() -> APIRouter:
    """The same routes with a slash more in front: scrapyd-client asks there when its target's URL ends with one."""
    doubled = APIRouter(route_class=_Route, include_in_schema=False)
    for route in router.routes:
        if isinstance(route, APIRoute):
            doubled.add_api_route(
                f"/{route.path}", route.endpoint, methods=sorted(route.methods or ()), name=route.name
            )
    return doubled
