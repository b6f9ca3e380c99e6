"""From errors to HTTP: the one place that knows status codes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from scrapemaster.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    RedisUnavailable,
    StoreBroken,
    StoreError,
    StoreFull,
    TooMany,
    UserError,
)

log = structlog.get_logger(__name__)

_STATUS: Mapping[type[UserError], int] = {
    InvalidInput: 422,
    NotFound: 404,
    Conflict: 409,
    NotAuthenticated: 401,
    Forbidden: 403,
    TooMany: 429,
}
_TYPES = {400: "bad_request", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
#: Longest part of a bad input that an error repeats.
_SHOWN = 200


def install_error_handlers(app: FastAPI) -> None:
    """Give every error its shape."""
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(StoreError, _store_error)
    app.add_exception_handler(RedisUnavailable, _redis_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


async def _user_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)  # noqa: S101 -- what it is registered for
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    if isinstance(error, InvalidInput):
        place = "query" if request.method == "GET" else "body"
        problem = {"loc": [place, *error.where], "msg": str(error), "type": "value_error"}
        return JSONResponse(
            {"detail": "Invalid request data", "type": error.code, "errors": [problem]}, status
        )
    if isinstance(error, NotAuthenticated):
        return JSONResponse({"detail": str(error)}, 401, {"WWW-Authenticate": "Bearer"})
    if isinstance(error, NotFound):
        return JSONResponse({"detail": str(error)}, 404)
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if isinstance(error, TooMany) else None
    return JSONResponse({"detail": str(error), "type": error.code}, status, headers)


async def _store_error(request: Request, error: Exception) -> Response:
    log.error("store.failed", path=request.url.path, error=str(error))
    wait = 30 if isinstance(error, StoreBroken | StoreFull) else 1
    detail = "The store cannot be used now; try again later"
    if isinstance(error, StoreFull):
        detail = "There is no space left where the store is: nothing was changed; whoever runs the service must make room"
    return JSONResponse(
        {"detail": detail, "type": "store_unavailable"},
        503,
        {"Retry-After": str(wait)},
    )


async def _redis_error(request: Request, error: Exception) -> Response:
    log.warning("redis.failed", path=request.url.path, error=str(error))
    return JSONResponse(
        {"detail": "Redis does not answer; try again later", "type": "redis_unavailable"},
        503,
        {"Retry-After": "1"},
    )


async def _invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- what it is registered for
    problems: list[dict[str, Any]] = [
        {
            "loc": [part if isinstance(part, int) else part[:_SHOWN] for part in problem["loc"]],
            "msg": problem["msg"].removeprefix("Value error, ")[:1_000],
            "type": problem["type"],
        }
        for problem in error.errors()[:50]
    ]
    return JSONResponse(
        {"detail": "Invalid request data", "type": "validation_error", "errors": problems}, 422
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- what it is registered for
    content: dict[str, Any] = {"detail": str(error.detail)}
    if error.status_code != 404:
        content["type"] = _TYPES.get(error.status_code, "error")
    headers = dict(error.headers or {})
    if error.status_code == 405 and (methods := methods_of(request.app.openapi(), request.url.path)):
        headers["Allow"] = ", ".join(methods)
    return JSONResponse(content, error.status_code, headers)


def methods_of(document: Mapping[str, Any], path: str) -> list[str]:
    """All methods that the OpenAPI document has for a path; the framework names those of one route among several.

    A path that stands there by itself is matched before those with parameters (OpenAPI Specification, "Path Templating Matching").
    """
    if path in document["paths"]:
        return sorted(name.upper() for name in document["paths"][path])
    methods = set()
    for template, operations in document["paths"].items():
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)), path):
            methods |= {name.upper() for name in operations}
    return sorted(methods)
