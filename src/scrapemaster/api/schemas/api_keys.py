"""API keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, Field

from scrapemaster.api.schemas.base import Answer, Body


class NewApiKey(Body):
    """A key to make."""

    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$",
        description="What it is for: 1 to 100 characters.", examples=["nightly import"],
    )  # fmt: skip
    expires_at: AwareDatetime | None = Field(
        None, description="When it stops to be accepted, with a time zone; null: never.",
        examples=["2099-01-01T00:00:00Z"],
    )  # fmt: skip


class ApiKeyAnswer(Answer):
    """A key, without the key itself."""

    id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    name: str = Field(examples=["nightly import"])
    prefix: str = Field(description="The first characters, to know it by.", examples=["sm_Zk3x"])
    last4: str = Field(description="The last characters.", examples=["q8Aw"])
    created_at: datetime = Field(examples=["2026-01-15T10:30:00.000000Z"])
    expires_at: datetime | None = Field(examples=["2099-01-01T00:00:00.000000Z"])
    last_used_at: datetime | None = Field(
        description="Right to a minute.", examples=["2026-01-15T10:31:00.000000Z"]
    )


class NewApiKeyAnswer(ApiKeyAnswer):
    """A new key: the only time it is shown."""

    key: str = Field(
        description="Send it as `X-API-Key` or as `Authorization: Bearer …`. It is not shown again.",
        examples=["sm_Zk3x…q8Aw"],
    )
