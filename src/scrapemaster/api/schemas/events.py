"""Log lines."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from scrapemaster.api.schemas.base import Answer
from scrapemaster.domain.joblog import LogEvent, LogLevel


class LogLineAnswer(Answer):
    """Something that happened to a job."""

    seq: int = Field(description="Its place in the job's log, from 1 on.", examples=[7])
    at: datetime
    level: LogLevel
    event: LogEvent = Field(description="What it tells of, for programs.", examples=["pages_failed"])
    message: str = Field(
        description="For people.",
        examples=["20 pages so far failed, http_404: https://example.com/a (the server answered 404)"],
    )
