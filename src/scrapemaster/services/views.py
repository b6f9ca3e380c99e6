"""Jobs as users see them: in the REST API, and in what webhooks are sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scrapemaster.domain.choices import Choices
from scrapemaster.domain.job import Job
from scrapemaster.domain.quality import Harvest
from scrapemaster.domain.selector import names_of
from scrapemaster.export.timestamps import iso


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
        "engine_used": job.fetched_by,
        "engines": engines_view(job.choices),
        "priority": str(job.priority),
        "status": str(job.status),
        "stop_reason": None if job.stop_reason is None else str(job.stop_reason),
        "progress": int(job.progress) if job.progress == int(job.progress) else job.progress,
        # The run of a spider is a request of its frontier, and no page.
        "pages_discovered": counters.discovered - (job.spider is not None),
        "pages_fetched": counters.fetched,
        "pages_failed": counters.failed,
        "pages_skipped": counters.skipped,
        "pages_unchanged": counters.unchanged,
        "items_scraped": counters.items,
        "items_failed": counters.items_failed,
        "bytes_downloaded": counters.bytes,
        "cost": {"bytes": counters.bytes, "seconds": counters.fetch_ms / 1_000},
        "rate": round(job.rate, 1),
        "eta_seconds": job.eta_seconds(),
        "error": job.error,
        "warnings": list(job.warnings),
        "fill": fill_view(names_of(job.selectors), Harvest(job.counters.items, job.fill)),
        "created_at": iso(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
        "retry_of": job.retry_of,
        "schedule_id": job.schedule_id,
        "webhook_url": job.webhook_url,
        "webhook_events": [str(event) for event in job.webhook_events],
        "selectors": dict(job.selectors_asked),
        "config": {
            **dict(job.config_asked),
            "max_pages": job.config.max_pages if job.spider is None else job.spider.pages,
        },
        **_spider_view(job),
    }


def _spider_view(job: Job) -> dict[str, Any]:
    spider = job.spider
    if spider is None:
        return dict.fromkeys(("project", "version", "spider", "spider_args"))
    return {
        "project": spider.project,
        "version": spider.version,
        "spider": spider.name,
        "spider_args": dict(spider.args),
    }


def engines_view(choices: Choices) -> dict[str, Any] | None:
    """What the `auto` engine chose: for each engine its pages, by reason, and what it was asked for; None for other engines."""
    if not choices.pages and not choices.http.fetches and not choices.browser.fetches:
        return None
    view = {}
    for name, expense in (("http", choices.http), ("browser", choices.browser)):
        reasons = choices.of(name)
        view[name] = {
            "pages": sum(reasons.values()),
            "reasons": reasons,
            "fetches": expense.fetches,
            "seconds": expense.ms / 1_000,
            "bytes": expense.bytes,
        }
    return view


def fill_view(names: Iterable[str], harvest: Harvest) -> dict[str, dict[str, float]]:
    """For each selector, in how many items it had a value, and the share of all items."""
    return {
        name: {"filled": harvest.filled.get(name, 0), "rate": round(harvest.rate(name), 4)} for name in names
    }
