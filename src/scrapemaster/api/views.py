"""Jobs and failed pages as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrapemaster.domain.job import Job
from scrapemaster.domain.outcome import FailedPage
from scrapemaster.domain.quality import Harvest
from scrapemaster.domain.selector import names_of
from scrapemaster.export.timestamps import iso
from scrapemaster.services.preview import Preview


def _time(epoch: float | None) -> str | None:
    return None if epoch is None else iso(epoch)


def job_view(job: Job) -> dict[str, Any]:
    """A job's object."""
    counters = job.counters
    return {
        "id": job.id,
        "url": job.urls[0],
        "urls": list(job.urls),
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
        "rate": round(job.rate, 1),
        "eta_seconds": job.eta_seconds(),
        "error": job.error,
        "warnings": list(job.warnings),
        "fill": fill_view(names_of(job.selectors), Harvest(counters.items, job.fill)),
        "created_at": iso(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "selectors": dict(job.selectors_asked),
        "config": {**dict(job.config_asked), "max_pages": job.config.max_pages},
    }


def fill_view(names: Iterable[str], harvest: Harvest) -> dict[str, dict[str, float]]:
    """For each selector, in how many items it had a value, and the share of all items."""
    return {
        name: {"filled": harvest.filled.get(name, 0), "rate": round(harvest.rate(name), 4)} for name in names
    }


def preview_view(preview: Preview) -> dict[str, Any]:
    """A preview's object."""
    error = preview.error
    return {
        "url": preview.url,
        "status": preview.status,
        "engine": preview.engine,
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
        "error": None
        if error is None
        else {
            "reason": error.reason,
            "detail": error.detail.encode("utf-8", "replace").decode(),
            "status": error.status,
            "evidence": None if error.evidence is None else dict(error.evidence),
        },
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
