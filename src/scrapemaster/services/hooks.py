"""The webhooks of single jobs, as orders name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from scrapemaster.domain.errors import InvalidInput, InvalidUrl
from scrapemaster.domain.events import EventType
from scrapemaster.domain.job import Job
from scrapemaster.domain.url import parse_url
from scrapemaster.domain.webhook import JOB_HOOK_EVENTS, Endpoint, EndpointId, new_secret, secret_key
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.ports.webhooks import WebhookStore


@dataclass(slots=True, frozen=True)
class JobHook:
    """A webhook for one job alone, as its order names it."""

    url: str
    events: Sequence[EventType] = JOB_HOOK_EVENTS
    secret: str = field(default_factory=new_secret)


class JobHooks:
    """Registers jobs' own endpoints."""

    def __init__(self, store: WebhookStore, egress: EgressPolicy) -> None:
        self._store = store
        self._egress = egress

    def check(self, hook: JobHook | None) -> None:
        """Raise `InvalidInput` if nothing can be sent there, or signed with its secret."""
        if hook is None:
            return
        checked_target(hook.url, self._egress)
        try:
            secret_key(hook.secret)
        except InvalidInput as error:
            raise InvalidInput(str(error), ("webhook_secret",)) from None

    async def attach(self, job: Job, hook: JobHook | None) -> None:
        """Register a job's own endpoint, before the job is stored, so that none of its events is missed.

        Raises `InvalidInput`. Should the job not be stored, the endpoint is pruned.
        """
        if hook is None:
            return
        self.check(hook)
        await self._store.add(
            Endpoint(
                id=EndpointId(job.id),
                owner=job.owner,
                url=hook.url.strip(),
                events=list(dict.fromkeys(hook.events)),
                secret=hook.secret,
                created_at=job.created_at,
                job_id=job.id,
            )
        )

    async def detach(self, job: Job) -> None:
        """Take back what `attach` did for a job that was not stored."""
        await self._store.remove(EndpointId(job.id))

    async def carry_over(self, old: Job, new: Job) -> Job:
        """Have what was told of `old` be told of `new`, not stored yet, in the same way; returns `new` as it is to be stored."""
        endpoint = await self._store.get(EndpointId(old.id), None)
        if endpoint is None or not endpoint.enabled:
            return new
        await self.attach(new, JobHook(endpoint.url, endpoint.events, endpoint.secret))
        return replace(new, webhook_url=old.webhook_url, webhook_events=old.webhook_events)


def checked_target(url: str, egress: EgressPolicy) -> str:
    """The URL, if messages may be sent there as far as can be said without asking DNS; raises `InvalidInput`."""
    where = ("webhook_url",)
    url = url.strip()
    try:
        parts = urlsplit(parse_url(url))
    except InvalidUrl as error:
        raise InvalidUrl(str(error), where) from None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    refusal = egress.refusal(parts.hostname or "", port)
    if refusal is not None:
        raise InvalidInput(f"webhooks cannot be sent there: {refusal}", where)
    return url
