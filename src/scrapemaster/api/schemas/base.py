"""What all schemas share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

#: Levels of lists and objects in a body. Far from where encoders give up (orjson: 254), so that what was taken can always
#: be shown, also inside of something else.
DEEPEST = 64


class Body(BaseModel):
    """A request body: unknown fields are an error, so that a misspelt option is never silently ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    @model_validator(mode="before")
    @classmethod
    def _not_too_deep(cls, value: Any) -> Any:
        if deeper_than(value, DEEPEST):
            raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        return value


class Answer(BaseModel):
    """A response body."""

    model_config = ConfigDict(extra="allow")


def deeper_than(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested deeper than so many levels; looks no deeper."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return bool(level)
