"""The port to persistence as a whole."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.ports.api_keys import ApiKeyStore
from scrapemaster.ports.artefacts import ArtefactStore
from scrapemaster.ports.frontier import Frontier
from scrapemaster.ports.joblog import JobLog
from scrapemaster.ports.jobs import JobStore
from scrapemaster.ports.projects import ProjectStore
from scrapemaster.ports.proxies import ProxyStore
from scrapemaster.ports.results import ResultStore
from scrapemaster.ports.schedules import ScheduleStore
from scrapemaster.ports.series import SeriesStore
from scrapemaster.ports.users import UserStore
from scrapemaster.ports.webhooks import WebhookStore


class Store(Protocol):
    """All that is kept. Errors of the database reach callers as `StoreUnavailable` or `StoreBroken`."""

    @property
    def jobs(self) -> JobStore:
        """Orders."""
        ...

    @property
    def frontier(self) -> Frontier:
        """Known requests."""
        ...

    @property
    def results(self) -> ResultStore:
        """Rows."""
        ...

    @property
    def artefacts(self) -> ArtefactStore:
        """Files made of pages."""
        ...

    @property
    def log(self) -> JobLog:
        """What happened to jobs."""
        ...

    @property
    def series(self) -> SeriesStore:
        """What jobs did when."""
        ...

    @property
    def schedules(self) -> ScheduleStore:
        """Standing orders."""
        ...

    @property
    def users(self) -> UserStore:
        """Accounts."""
        ...

    @property
    def webhooks(self) -> WebhookStore:
        """Webhook endpoints, the outbox, deliveries."""
        ...

    @property
    def api_keys(self) -> ApiKeyStore:
        """Keys of programs."""
        ...

    @property
    def proxies(self) -> ProxyStore:
        """The proxy pool."""
        ...

    @property
    def projects(self) -> ProjectStore:
        """Uploaded Scrapy projects."""
        ...

    async def open(self) -> None:
        """Connect and bring the schema up to date; a newer schema is refused with `StoreBroken`."""

    async def close(self) -> None:
        """Finish what was begun and disconnect; twice is no error."""

    async def now(self) -> float:
        """Epoch seconds by the one clock that all who have the store open, on whatever machine, can read."""

    async def ping(self) -> None:
        """Return if the store answers; raise a `StoreError` if not."""
