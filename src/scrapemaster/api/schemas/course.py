"""A job's course over time, and the changes between two runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from scrapemaster.api.schemas.base import Answer


class PointAnswer(Answer):
    """What a job did in one span of time."""

    at: int = Field(description="The span's beginning, in seconds since the job started.", examples=[12])
    pages: int = Field(
        description="Pages asked for; one that is tried again counts each time.", examples=[48]
    )
    ok: int = Field(description="Answers with a 2xx status.", examples=[46])
    redirected: int = Field(description="With a 3xx status that led nowhere.", examples=[0])
    refused: int = Field(description="With a 4xx status.", examples=[2])
    broken: int = Field(description="With a 5xx status.", examples=[0])
    silent: int = Field(
        description="Pages without an answer: no connection, too slow, and so on.", examples=[0]
    )
    items: int = Field(examples=[46])
    bytes: int = Field(examples=[602_112])
    latency: float = Field(description="Seconds that asking for a page took on average.", examples=[0.082])
    slowest: float = Field(description="Seconds that the slowest page took.", examples=[0.411])


class SeriesAnswer(Answer):
    """A job's course. Spans without a point had no page."""

    started_at: datetime | None = Field(description="What the points count from.")
    seconds: int = Field(description="How long each span is.", examples=[1])
    points: list[PointAnswer]


class ChangeAnswer(Answer):
    """A row that is not as before."""

    kind: Literal["new", "changed", "gone"]
    key: str = Field(description="The value by which the two rows are the same thing.", examples=["LA-004"])
    fields: list[str] = Field(description="The fields that differ.", examples=[["price"]])
    before: dict[str, Any] | None = Field(examples=[{"sku": "LA-004", "price": 39.9}])
    after: dict[str, Any] | None = Field(examples=[{"sku": "LA-004", "price": 35.9}])


class ChangesAnswer(Answer):
    """What is new, changed and gone between two runs."""

    job_id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    against: str | None = Field(
        description="The run compared with; null when there is no earlier one, and then there are no changes.",
        examples=["01938b00-1111-7c3b-9d8f-3f0f6a1c2b4d"],
    )
    by: str = Field(
        description="The field whose values say which rows are the same thing; `*` when whole rows are compared.",
        examples=["sku"],
    )
    new: int
    changed: int
    gone: int
    same: int
    changes: list[ChangeAnswer]
