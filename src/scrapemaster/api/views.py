"""Jobs and failed pages as the API shows them."""

from __future__ import annotations

from typing import Any

from scrapemaster.domain.job import Job
from scrapemaster.domain.joblog import LogLine
from scrapemaster.domain.outcome import FailedPage
from scrapemaster.domain.schedule import Schedule
from scrapemaster.export.timestamps import iso

#: What a `progress` event tells of a job.
PROGRESS_FIELDS = (
    "id status stop_reason progress pages_discovered pages_fetched pages_failed pages_skipped items_scraped items_failed "
    "bytes_downloaded cost rate eta_seconds".split()
)


def _time(epoch: float | None) -> str | None:
    return None if epoch is None else iso(epoch)


def job_view(job: Job) -> dict[str, Any]:
    """A job's object."""
    counters = job.counters
    urls = list(job.urls_asked or job.urls)
    return {
        "id": job.id,
        "url": urls[0],
        "urls": urls,
        "name": job.name,
        "tags": list(job.tags),
        "meta": dict(job.meta),
        "engine": str(job.engine),
        "engine_used": job.engine_used,
        "priority": str(job.priority),
        "status": str(job.status),
        "stop_reason": None if job.stop_reason is None else str(job.stop_reason),
        "progress": int(job.progress) if job.progress == int(job.progress) else job.progress,
        "pages_discovered": counters.discovered,
        "pages_fetched": counters.fetched,
        "pages_failed": counters.failed,
        "pages_skipped": counters.skipped,
        "items_scraped": counters.items,
        "items_failed": counters.items_failed,
        "bytes_downloaded": counters.bytes,
        "cost": {"bytes": counters.bytes, "seconds": counters.fetch_ms / 1_000},
        "rate": round(job.rate, 1),
        "eta_seconds": job.eta_seconds(),
        "error": job.error,
        "warnings": list(job.warnings),
        "created_at": iso(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "retry_of": job.retry_of,
        "schedule_id": job.schedule_id,
        "selectors": dict(job.selectors_asked),
        "config": {**dict(job.config_asked), "max_pages": job.config.max_pages},
    }


def progress_view(job: Job) -> dict[str, Any]:
    """What of a job changes while it runs."""
    shown = job_view(job)
    return {name: shown[name] for name in PROGRESS_FIELDS}


def log_line_view(line: LogLine) -> dict[str, Any]:
    """A log line's object."""
    return {
        "seq": line.seq,
        "at": iso(line.at),
        "level": str(line.level),
        "event": str(line.event),
        "message": line.message,
    }


def schedule_view(schedule: Schedule) -> dict[str, Any]:
    """A schedule's object."""
    return {
        "id": schedule.id,
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "enabled": schedule.enabled,
        "overlap": str(schedule.overlap),
        "job": dict(schedule.order_asked),
        "next_run_at": _time(schedule.next_run_at),
        "last_run_at": _time(schedule.last_run_at),
        "last_job_id": schedule.last_job_id,
        "last_error": schedule.last_error,
        "created_at": iso(schedule.created_at),
    }


def failed_page_view(page: FailedPage) -> dict[str, Any]:
    """A failed page's object."""
    return {
        "url": page.url,
        "state": page.state,
        "reason": page.reason,
        "detail": page.detail,
        "status": page.status,
        "attempts": page.attempts,
        "at": iso(page.at),
    }
