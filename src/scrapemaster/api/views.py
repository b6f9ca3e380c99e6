"""What the API shows; jobs are shown by `services.views`, because webhooks carry them too."""

from __future__ import annotations

from typing import Any

from scrapemaster.domain.outcome import FailedPage
from scrapemaster.export.timestamps import iso
from scrapemaster.services.views import job_view

__all__ = ["failed_page_view", "job_view"]


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
