"""What the API shows; jobs are shown by `services.views`, because webhooks carry them too."""

from __future__ import annotations

from typing import Any

from scrapemaster.domain.job import Job
from scrapemaster.domain.joblog import LogLine
from scrapemaster.domain.outcome import FailedPage
from scrapemaster.domain.quality import Harvest
from scrapemaster.domain.schedule import Schedule
from scrapemaster.export.timestamps import iso
from scrapemaster.services.preview import Look, Preview, PreviewError
from scrapemaster.services.views import fill_view, job_view

__all__ = [
    "failed_page_view",
    "fill_view",
    "job_view",
    "log_line_view",
    "look_view",
    "preview_view",
    "progress_view",
    "schedule_view",
]

#: What a `progress` event tells of a job.
PROGRESS_FIELDS = (
    "id status stop_reason progress pages_discovered pages_fetched pages_failed pages_skipped items_scraped items_failed "
    "bytes_downloaded cost rate eta_seconds".split()
)


def _time(epoch: float | None) -> str | None:
    return None if epoch is None else iso(epoch)


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


def preview_view(preview: Preview) -> dict[str, Any]:
    """A preview's object."""
    return {
        "url": preview.url,
        "status": preview.status,
        "engine": preview.engine,
        "engine_reason": preview.reason,
        "timing": {"fetch": round(preview.fetch_seconds, 4), "extract": round(preview.extract_seconds, 4)},
        "items": list(preview.items),
        "items_total": preview.items_total,
        "items_failed": preview.items_failed,
        "matches": {name: {"count": one.count, "first": one.first} for name, one in preview.matches.items()},
        "fill": fill_view(
            (name for name in preview.matches if name != "config.item"),
            Harvest(preview.items_total, preview.fill),
        ),
        "warnings": list(preview.warnings),
        "error": _error_view(preview.error),
    }


def look_view(look: Look) -> dict[str, Any]:
    """A page to look at."""
    snapshot = look.snapshot
    return {
        "url": look.url,
        "status": look.status,
        "engine": look.engine,
        "title": snapshot.title if snapshot else "",
        "html": snapshot.html if snapshot else "",
        "css": list(look.css),
        "links": snapshot.links if snapshot else [],
        "truncated": snapshot.truncated if snapshot else False,
        "error": _error_view(look.error),
    }


def _error_view(error: PreviewError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "reason": error.reason,
        "detail": error.detail.encode("utf-8", "replace").decode(),
        "status": error.status,
        "evidence": None if error.evidence is None else dict(error.evidence),
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
        "evidence": None if page.evidence is None else dict(page.evidence),
    }
