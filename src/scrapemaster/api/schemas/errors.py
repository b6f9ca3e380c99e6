"""Errors."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scrapemaster.api.schemas.base import Answer


class ErrorAnswer(Answer):
    """What went wrong, in a sentence."""

    detail: str = Field(examples=["Job not found"])


class TypedErrorAnswer(ErrorAnswer):
    """What went wrong, with a code."""

    type: str = Field(examples=["conflict"])


class Problem(Answer):
    """One wrong field."""

    loc: list[str | int] = Field(examples=[["body", "config", "max_pages"]])
    msg: str = Field(examples=["Input should be greater than or equal to 1"])
    type: str = Field(examples=["greater_than_equal"])


class ValidationErrorAnswer(TypedErrorAnswer):
    """What was sent cannot be used; `errors` says where and why."""

    detail: str = Field(examples=["Invalid request data"])
    type: str = Field(examples=["validation_error"])
    errors: list[Problem]


def _error(description: str, model: type[Answer]) -> dict[str, Any]:
    return {"description": description, "model": model}


THROTTLED: dict[int | str, dict[str, Any]] = {
    429: _error("A limit is spent; try again after `Retry-After` seconds.", TypedErrorAnswer)
}
UNAUTHENTICATED: dict[int | str, dict[str, Any]] = {
    401: _error("Missing, wrong, expired or revoked credentials.", ErrorAnswer),
    **THROTTLED,
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: _error("There is none, or it is somebody else's.", ErrorAnswer)
}
CONFLICT: dict[int | str, dict[str, Any]] = {409: _error("The state of things forbids it.", TypedErrorAnswer)}
INVALID: dict[int | str, dict[str, Any]] = {
    422: _error("What was sent cannot be used.", ValidationErrorAnswer)
}
TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: _error("A limit is spent; try again after `Retry-After` seconds.", TypedErrorAnswer)
}
FORBIDDEN: dict[int | str, dict[str, Any]] = {403: _error("Known, but not allowed.", TypedErrorAnswer)}
COMMON: dict[int | str, dict[str, Any]] = {
    400: _error(
        "The request cannot be read, or needs an extra that the server does not have.", TypedErrorAnswer
    ),
    408: _error("The request came too slowly.", TypedErrorAnswer),
    414: _error("The URL is too long.", TypedErrorAnswer),
    431: _error("The headers are too large.", TypedErrorAnswer),
    413: _error("The body is too large.", TypedErrorAnswer),
    500: _error("A fault of ours; `request_id` is in the log too.", TypedErrorAnswer),
    503: _error(
        "The store, or Redis, does not answer; try again after `Retry-After` seconds.", TypedErrorAnswer
    ),
}
