"""Figures."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from scrapemaster.api.schemas.base import Answer


class StatsAnswer(Answer):
    """Figures over the caller's jobs; over all jobs for an admin."""

    status_counts: dict[str, int] = Field(
        examples=[{"pending": 5, "running": 2, "paused": 0, "completed": 145, "failed": 3, "cancelled": 1}]
    )
    total_items_scraped: int = Field(examples=[15420])
    jobs_last_24h: int = Field(examples=[23])
    success_rate: float = Field(description="100 × completed / (completed + failed).", examples=[97.97])
    total_jobs: int = Field(examples=[156])


class ProxyStatusAnswer(Answer):
    """Proxies in one state."""

    count: int = Field(examples=[8])
    avg_success_rate: float = Field(
        description="Mean over the proxies, in percent; of late. One that was not used counts as 100.",
        examples=[95.5],
    )


class ProxiesAnswer(Answer):
    """The proxy pool."""

    total_proxies: int = Field(examples=[10])
    by_status: dict[str, ProxyStatusAnswer] = Field(
        description="By state: `active`, `banned`, `cooldown`, `dead`.",
        examples=[
            {
                "active": {"count": 8, "avg_success_rate": 95.5},
                "banned": {"count": 2, "avg_success_rate": 15.2},
            }
        ],
    )


class SystemAnswer(Answer):
    """The health of each part: `healthy`, `unhealthy`, or `embedded` where it is part of this process."""

    redis: str = Field(examples=["embedded"])
    mongodb: str = Field(examples=["embedded"])
    api: str = Field(examples=["healthy"])
    store: str = Field(examples=["healthy"])
    crawler: str = Field(examples=["healthy"])
    timestamp: datetime


class WorkerAnswer(Answer):
    """A process that crawls."""

    id: str = Field(description="New with each start.", examples=["01938c5e-8a4e-7c3b-9d8f-3f0f6a1c2b4d"])
    host: str = Field(examples=["crawler-3"])
    pid: int = Field(examples=[4711])
    version: str = Field(examples=["0.1.0"])
    started_at: datetime
    last_seen: datetime = Field(
        description="Its last sign of life; after two seconds without it is not listed."
    )
    slices: int = Field(description="Slices of jobs under way.", examples=[3])
    pages_per_second: float = Field(examples=[412.5])
