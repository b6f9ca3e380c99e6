"""What webhooks say: the bodies of messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from scrapemaster.domain.webhook import TEST_TYPE, Endpoint, OutboxEvent
from scrapemaster.export.timestamps import iso
from scrapemaster.services.views import job_view

#: What stands in a message for a secret of the job's config: receivers are to be told of the job, not of its passwords.
MASK = "***"
#: Start URLs that a message names at most: receivers often refuse bodies of more than a megabyte.
URLS_NAMED = 100
#: What an `item.batch` leaves out, because it comes every few seconds and is kept for thirty days.
_NOT_IN_BATCHES = ("urls", "selectors", "config")


def body_of(event: OutboxEvent) -> bytes:
    """The message that tells of an event: type, timestamp, and the job as the REST API showed it then.

    Values of `config.headers` and `config.cookies` and a proxy's credentials are masked, and of `urls` the first hundred are named. An
    `item.batch` has `batch` besides: `first` and `last` row, `count`, and the `cursor` with which `GET /results/{id}` begins at the
    first; it lacks the job's `urls`, `selectors` and `config`.
    """
    job = job_view(event.job)
    data = {**job, "urls": job["urls"][:URLS_NAMED], "config": _without_secrets(job["config"])}
    if event.first is not None and event.last is not None:
        for name in _NOT_IN_BATCHES:
            del data[name]
        data["batch"] = {
            "first": event.first,
            "last": event.last,
            "count": event.last - event.first + 1,
            "cursor": str(event.first - 1),
        }
    return orjson.dumps({"type": str(event.type), "timestamp": iso(event.at), "data": data})


def test_body(endpoint: Endpoint, now: float) -> bytes:
    """A message that only shows that messages arrive."""
    data = {
        "webhook_id": endpoint.id,
        "events": [str(event) for event in endpoint.events],
        "message": "This is a test: no job is behind it.",
    }
    return orjson.dumps({"type": TEST_TYPE, "timestamp": iso(now), "data": data})


def _without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(config)
    for name in ("headers", "cookies"):
        if shown.get(name):
            shown[name] = dict.fromkeys(shown[name], MASK)
    proxy = shown.get("proxy")
    if isinstance(proxy, str) and "@" in proxy:
        parts = urlsplit(proxy)
        shown["proxy"] = f"{parts.scheme}://{MASK}@{parts.netloc.rpartition('@')[2]}"
    return shown
