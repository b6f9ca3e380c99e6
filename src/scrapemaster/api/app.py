"""The application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import RedirectResponse

from scrapemaster import __version__
from scrapemaster.api.docs import install_docs
from scrapemaster.api.errors import install_error_handlers
from scrapemaster.api.metrics import Measured, Metrics
from scrapemaster.api.middleware import BodyLimit, RequestId
from scrapemaster.api.routers import accounts, health, jobs, monitoring, results
from scrapemaster.api.routers import metrics as metrics_router
from scrapemaster.api.schemas.errors import COMMON
from scrapemaster.bootstrap import ServiceApp

_DESCRIPTION = """
POST a URL and selectors, get rows.

1. `POST /api/v1/auth/login` for a token (the **Authorize** button does it here).
2. `POST /api/v1/jobs` with a URL and selectors.
3. `GET /api/v1/jobs/{id}?wait=30` until it is over.
4. `GET /api/v1/results/{id}`, or `/export?format=csv`.

Errors have a `detail` that is a sentence; every response has an `X-Request-ID` that is in the server's log too.
"""
_TAGS = [
    {"name": "accounts", "description": "Registering, signing in and out."},
    {"name": "jobs", "description": "Ordering crawls, watching and steering them."},
    {"name": "results", "description": "Rows, in pages and in files."},
    {"name": "monitoring", "description": "Figures and health."},
    {"name": "health", "description": "For supervisors and load balancers."},
]


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
    )
    app.state.services = services
    for module in (accounts, jobs, results, monitoring):
        app.include_router(module.router, prefix="/api/v1")
    app.include_router(health.router)
    install_docs(app)
    install_error_handlers(app)
    app.add_middleware(BodyLimit, limit=services.settings.max_request_bytes)
    app.add_middleware(RequestId)
    if services.settings.metrics:
        metrics = app.state.metrics = Metrics(services.board)
        app.include_router(metrics_router.router)
        app.add_middleware(Measured, metrics=metrics)
    setattr(app, "openapi", lambda: _openapi(app))  # noqa: B010 -- FastAPI's own way to extend it

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/api/docs")

    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the login's JSON body that FastAPI cannot know of."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schema["components"]["schemas"]["Credentials"] = accounts.login_schema()
        app.openapi_schema = schema
    return app.openapi_schema
