"""What all schemas share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A request body: unknown fields are an error, so that a misspelt option is never silently ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Answer(BaseModel):
    """A response body."""

    model_config = ConfigDict(extra="allow")
