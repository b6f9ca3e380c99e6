"""Artefacts: files made of pages."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from scrapemaster.api.schemas.base import Answer


class ArtefactAnswer(Answer):
    """A file that a browser made of a page."""

    id: str = Field(examples=["5f0c1b9a3f2e4d6c8b7a695847362514"])
    job_id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    url: str = Field(description="The page it was made of.", examples=["https://example.com/products"])
    kind: str = Field(description="`screenshot` or `pdf`.", examples=["screenshot"])
    media_type: str = Field(description="What it is served as.", examples=["image/png"])
    size: int = Field(description="Its bytes.", examples=[48_213])
    created_at: datetime
    href: str = Field(
        description="Where its bytes are.", examples=["/api/v1/artefacts/5f0c1b9a3f2e4d6c8b7a695847362514"]
    )
