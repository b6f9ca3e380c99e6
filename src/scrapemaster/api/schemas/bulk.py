"""Acting on many jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from scrapemaster.api.schemas.base import Answer, Body
from scrapemaster.services.bulk import BulkAction


class BulkBody(Body):
    """What to do, and to which jobs."""

    action: BulkAction = Field(
        description="`delete` cancels a job that is not over and removes one that is.", examples=["cancel"]
    )
    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(
        min_length=1,
        max_length=1_000,
        description="The jobs' ids.",
        examples=[["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"]],
    )


class RefusalAnswer(Answer):
    """A job that stays as it is, and why."""

    id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    detail: str = Field(examples=["a job that is completed cannot become cancelled"])


class BulkAnswer(Answer):
    """What was done."""

    done: int = Field(description="Jobs to which it was done.", examples=[1])
    refused: list[RefusalAnswer]
