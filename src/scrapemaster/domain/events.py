"""Facts about jobs that others may want to hear of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scrapemaster.domain.ids import JobId


class EventType(StrEnum):
    """The names webhooks and event streams use."""

    JOB_STARTED = "job.started"
    JOB_PROGRESS = "job.progress"
    JOB_PAUSED = "job.paused"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    ITEM_BATCH = "item.batch"


@dataclass(slots=True, frozen=True)
class Event:
    """A fact: something happened to a job at a time (epoch seconds)."""

    type: EventType
    job_id: JobId
    at: float
