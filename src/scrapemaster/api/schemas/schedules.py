"""Schedules: drafts, changes, answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator

from scrapemaster.api.schemas.base import Answer, Body
from scrapemaster.api.schemas.jobs import JobBody
from scrapemaster.domain.schedule import Overlap
from scrapemaster.services.schedules import ScheduleDraft

Cron = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(
        description="Minute, hour, day of month, month, day of week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        examples=["30 2 * * *"],
    ),
]
Zone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Field(
        description="IANA name of the time zone the cron expression is meant in.", examples=["Europe/Berlin"]
    ),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Enabled = Annotated[StrictBool, Field(description="Whether it runs when it is due.")]
OnOverlap = Annotated[
    Overlap,
    Field(description="When the last run's job is not over: `skip` the run, or `allow` both jobs."),
]
Ordered = Annotated[JobBody, Field(description="The job to order, as in `POST /jobs`.")]


class ScheduleBody(Body):
    """A standing order."""

    cron: Cron
    timezone: Zone = "UTC"
    job: Ordered
    enabled: Enabled = True
    overlap: OnOverlap = Overlap.SKIP
    name: Name | None = Field(None, description="Yours; echoed back.")

    def to_draft(self) -> ScheduleDraft:
        """The draft for the services."""
        return ScheduleDraft(
            cron=self.cron,
            job=self.job.to_order(),
            timezone=self.timezone,
            enabled=self.enabled,
            overlap=self.overlap,
            name=self.name,
            job_asked=_asked(self.job),
        )


class ScheduleChange(Body):
    """What to change; what is not named stays. `job` is replaced as a whole."""

    cron: Cron | None = Field(None, description="A new cron expression.", examples=["0 6 * * 1"])
    timezone: Zone | None = Field(None, description="A new time zone.", examples=["America/New_York"])
    job: JobBody | None = Field(None, description="A new job, instead of the one there was.")
    enabled: StrictBool | None = Field(None, description="Whether it runs when it is due.", examples=[False])
    overlap: Overlap | None = Field(None, description="What to do when the last job is not over.")
    name: Name | None = Field(None, description="A new name; null takes the name away.")

    @model_validator(mode="after")
    def _not_null(self) -> Self:
        for field in sorted(self.model_fields_set - {"name"}):
            if getattr(self, field) is None:
                raise ValueError(f"{field} cannot be null; leave it out to keep it")
        return self

    def to_changes(self) -> dict[str, Any]:
        """The changes for the services."""
        changes = {name: getattr(self, name) for name in self.model_fields_set}
        if self.job is not None:
            changes |= {"job": self.job.to_order(), "job_asked": _asked(self.job)}
        return changes


class ScheduleAnswer(Answer):
    """A schedule. Times are UTC."""

    id: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    name: str | None
    cron: str = Field(examples=["30 2 * * *"])
    timezone: str = Field(examples=["Europe/Berlin"])
    enabled: bool
    overlap: Overlap
    job: dict[str, Any] = Field(
        description="As it was given.", examples=[{"url": "https://example.com/products"}]
    )
    next_run_at: datetime | None = Field(description="When it is due; null when it is not enabled.")
    last_run_at: datetime | None = Field(description="When it last ordered a job.")
    last_job_id: str | None = Field(description="The job it ordered last.")
    last_error: str | None = Field(description="Why the last run that was due made no job.")
    created_at: datetime


class NewScheduleAnswer(ScheduleAnswer):
    """A schedule whose job was just given."""

    webhook_secret: str | None = Field(
        None, description="What signs the messages to its jobs' own webhook, if they have one. Shown once."
    )


def _asked(job: JobBody) -> dict[str, Any]:
    """The order as it is shown again: without the secret."""
    return job.model_dump(mode="json", exclude_unset=True, exclude={"webhook_secret"})
