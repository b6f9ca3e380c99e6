"""The application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from scrapemaster import __version__
from scrapemaster.api.basic import SignIns
from scrapemaster.api.docs import install_docs
from scrapemaster.api.errors import install_error_handlers
from scrapemaster.api.headers import SecurityHeaders
from scrapemaster.api.identify import Identify
from scrapemaster.api.metrics import Measured, Metrics
from scrapemaster.api.middleware import BodyLimit, Faults, Gzip, RequestId
from scrapemaster.api.routers import (
    accounts,
    api_keys,
    artefacts,
    course,
    events,
    exports,
    extract,
    health,
    jobs,
    lists,
    monitoring,
    projects,
    proxies,
    results,
    schedules,
    scrapyd,
    users,
    webhooks,
)
from scrapemaster.api.routers import metrics as metrics_router
from scrapemaster.api.schemas.errors import COMMON
from scrapemaster.api.security import OPEN, PREFIX, SCHEMES
from scrapemaster.api.traced import Traced
from scrapemaster.dashboard.site import install_dashboard
from scrapemaster.service_parts import ServiceApp

_DESCRIPTION = """
POST a URL and selectors, get rows.

1. `POST /api/v1/auth/login` for a token (the **Authorize** button does it here).
2. `POST /api/v1/jobs` with a URL and selectors.
3. `GET /api/v1/jobs/{id}?wait=30` until it is over.
4. `GET /api/v1/results/{id}`, or `/export?format=csv`.

Programs use an API key (`POST /api/v1/auth/keys`) as `X-API-Key` or `Authorization: Bearer sm_…`. Each user may make 100 requests
an hour unless the server is set up otherwise: `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (epoch seconds) on every
authenticated response tell what is left; past it comes 429 with `Retry-After`.

Errors have a `detail` that is a sentence; every response has an `X-Request-ID` that is in the server's log too.
"""
_TAGS = [
    {"name": "accounts", "description": "Registering, signing in and out, API keys."},
    {"name": "users", "description": "Managing accounts; for admins."},
    {"name": "jobs", "description": "Ordering crawls, watching and steering them."},
    {"name": "extract", "description": "Trying selectors on a page, with nothing stored."},
    {"name": "results", "description": "Rows, in pages and in files."},
    {"name": "artefacts", "description": "Screenshots and PDFs that a browser made of pages."},
    {"name": "webhooks", "description": "Being told what happens to jobs: signed, retried, logged."},
    {"name": "schedules", "description": "Jobs ordered again and again."},
    {"name": "projects", "description": "Scrapy projects, whose spiders jobs may run."},
    {"name": "scrapyd", "description": "Scrapyd's JSON API, for its clients."},
    {"name": "proxies", "description": "The proxy pool; for admins."},
    {"name": "monitoring", "description": "Figures and health."},
    {"name": "health", "description": "For supervisors and load balancers."},
]
#: Bearer tokens and keys are sent by the page itself: no cookies, so no credentials in the sense of CORS.
_CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": [
        "Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-API-Key", "X-Request-ID",
    ],
    "expose_headers": [
        "Content-Disposition", "Link", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining",
        "X-RateLimit-Reset", "X-Request-ID", "X-Total-Count",
    ],
    "max_age": 3_600,
}  # fmt: skip


def create_app(services: ServiceApp) -> FastAPI:
    """The ASGI application over the use cases."""
    app = FastAPI(
        title="ScrapeMaster",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        openapi_tags=_TAGS,
        responses=COMMON,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    app.state.sign_ins = SignIns()
    # Routes are tried in this order: what is asked for most comes first.
    routers = (
        jobs,
        results,
        events,
        lists,
        course,
        accounts,
        api_keys,
        users,
        extract,
        exports,
        artefacts,
        schedules,
        webhooks,
        projects,
        proxies,
        monitoring,
    )
    for module in routers:
        app.include_router(module.router, prefix="/api/v1")
    app.include_router(scrapyd.router)
    app.include_router(scrapyd.double_slashed())
    app.include_router(health.router)
    install_docs(app)
    install_error_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit=services.settings.max_request_bytes)
    app.add_middleware(Faults)
    app.add_middleware(Gzip, compressed=(*exports.COMPRESSED, *artefacts.COMPRESSED))
    app.add_middleware(Identify, callers=services.callers, limits=services.limits)
    if services.settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=services.settings.cors_origins, **_CORS)
    app.add_middleware(Faults)
    if services.tracer is not None:
        app.add_middleware(Traced, tracer=services.tracer)
    app.add_middleware(RequestId)
    app.add_middleware(SecurityHeaders)
    if services.settings.metrics:
        metrics = app.state.metrics = Metrics(services.board)
        app.include_router(metrics_router.router)
        app.add_middleware(Measured, metrics=metrics)
    setattr(app, "openapi", lambda: _openapi(app))  # noqa: B010 -- FastAPI's own way to extend it
    install_dashboard(app)

    return app


def _operation_id(route: APIRoute) -> str:
    """What generated clients call an operation: its tag and the name of its function, such as `jobs_create`."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with what FastAPI cannot know of: the login's JSON body, and how callers prove who they are."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schema["components"]["schemas"]["Credentials"] = accounts.login_schema()
        _tell_security(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _tell_security(schema: dict[str, Any]) -> None:
    components = schema["components"]
    components["securitySchemes"] = {**SCHEMES, **components.get("securitySchemes", {})}
    for path, operations in schema["paths"].items():
        if path.startswith(f"{PREFIX}/") and path not in OPEN:
            for operation in operations.values():
                operation["security"] = [{name: []} for name in SCHEMES]
