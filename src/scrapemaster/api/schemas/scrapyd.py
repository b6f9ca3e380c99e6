"""Scrapyd's JSON API."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scrapemaster.api.schemas.base import Answer


class ScrapydAnswer(Answer):
    """What every answer has."""

    node_name: str = Field(description="This machine.", examples=["crawler-1"])
    status: str = Field(description="`ok`, or `error` with a `message`.", examples=["ok"])


class ScrapydError(ScrapydAnswer):
    """What is wrong."""

    status: str = Field(examples=["error"])
    message: str = Field(examples=["there is no project 'shop'"])


class DaemonStatus(ScrapydAnswer):
    """How many jobs there are."""

    pending: int
    running: int
    finished: int


class Scheduled(ScrapydAnswer):
    """A job that was ordered."""

    jobid: str = Field(examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])


class Cancelled(ScrapydAnswer):
    """A job that was ended."""

    prevstate: str | None = Field(
        description="`pending` or `running`; null when it was over.", examples=["running"]
    )


class Added(ScrapydAnswer):
    """A version that was uploaded."""

    project: str = Field(examples=["shop"])
    version: str = Field(examples=["r23"])
    spiders: int = Field(description="How many it has.", examples=[3])


class ProjectNames(ScrapydAnswer):
    """The projects."""

    projects: list[str] = Field(examples=[["shop"]])


class VersionNames(ScrapydAnswer):
    """A project's versions, the latest last."""

    versions: list[str] = Field(examples=[["r23", "r24"]])


class SpiderNames(ScrapydAnswer):
    """A version's spiders."""

    spiders: list[str] = Field(examples=[["products"]])


class State(ScrapydAnswer):
    """A job's state."""

    currstate: str = Field(description="`pending`, `running`, `finished` or `unknown`.", examples=["running"])


class JobList(ScrapydAnswer):
    """Jobs in each state, the oldest first."""

    pending: list[dict[str, Any]]
    running: list[dict[str, Any]]
    finished: list[dict[str, Any]]
