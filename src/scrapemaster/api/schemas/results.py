"""Rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from scrapemaster.api.schemas.base import Answer


class ResultAnswer(Answer):
    """An extracted item."""

    job_id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    url: str = Field(examples=["https://example.com/product/1"])
    data: dict[str, Any] = Field(examples=[{"title": "Product Name", "price": "$99.99"}])
    scraped_at: datetime = Field(examples=["2026-01-15T10:32:00.000000Z"])
    engine_used: str | None = Field(description="The engine that its page came from.", examples=["browser"])
    engine_reason: str | None = Field(
        description="Why `engine: auto` took that one; null for the other engines. The job's `engines` names them all.",
        examples=["script_shell"],
    )


class ResultsAnswer(Answer):
    """A page of rows. `next` is the cursor of the page after it, null at the end as it is now."""

    job_id: str
    total: int = Field(examples=[150])
    skip: int = Field(examples=[0])
    limit: int = Field(examples=[100])
    next: str | None = Field(examples=["100"])
    results: list[ResultAnswer]
