"""Swagger UI and ReDoc, from our own files: they work with no internet."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from scrapemaster.api.headers import page_policy

_ASSETS = Path(__file__).parent / "assets"
_TITLE = "ScrapeMaster API"


def install_docs(app: FastAPI) -> None:
    """Serve the documentation pages under `/api`."""
    app.mount("/api/assets", StaticFiles(directory=_ASSETS), "assets")

    @app.get("/api/docs", include_in_schema=False)
    async def swagger() -> HTMLResponse:
        return _guarded(
            get_swagger_ui_html(
                openapi_url="/api/openapi.json",
                title=_TITLE,
                oauth2_redirect_url="/api/docs/oauth2-redirect",
                swagger_js_url="/api/assets/swagger-ui-bundle.js",
                swagger_css_url="/api/assets/swagger-ui.css",
                swagger_favicon_url="/api/assets/favicon.svg",
                swagger_ui_parameters={"persistAuthorization": True, "displayRequestDuration": True},
            )
        )

    @app.get("/api/docs/oauth2-redirect", include_in_schema=False)
    async def redirect() -> HTMLResponse:
        return _guarded(get_swagger_ui_oauth2_redirect_html())

    @app.get("/api/redoc", include_in_schema=False)
    async def redoc() -> HTMLResponse:
        return _guarded(
            get_redoc_html(
                openapi_url="/api/openapi.json",
                title=_TITLE,
                redoc_js_url="/api/assets/redoc.standalone.js",
                redoc_favicon_url="/api/assets/favicon.svg",
                with_google_fonts=False,
            )
        )


def _guarded(page: HTMLResponse) -> HTMLResponse:
    page.headers["Content-Security-Policy"] = page_policy(bytes(page.body))
    return page
