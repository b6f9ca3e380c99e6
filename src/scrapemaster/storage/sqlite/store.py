"""The SQLite store as a whole."""

from __future__ import annotations

import time
from pathlib import Path

from scrapemaster.storage.sqlite.api_keys import SqliteApiKeys
from scrapemaster.storage.sqlite.artefacts import SqliteArtefacts
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.frontier import SqliteFrontier
from scrapemaster.storage.sqlite.joblog import SqliteJobLog
from scrapemaster.storage.sqlite.jobs import SqliteJobs
from scrapemaster.storage.sqlite.projects import SqliteProjects
from scrapemaster.storage.sqlite.proxies import SqliteProxies
from scrapemaster.storage.sqlite.results import SqliteResults
from scrapemaster.storage.sqlite.schedules import SqliteSchedules
from scrapemaster.storage.sqlite.series import SqliteSeries
from scrapemaster.storage.sqlite.users import SqliteUsers
from scrapemaster.storage.sqlite.webhooks import SqliteWebhooks


class SqliteStore:
    """See `ports.store.Store`: all that is kept, in the file at `path`.

    Several processes on one machine may open the same file.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.jobs = SqliteJobs(self._database)
        self.frontier = SqliteFrontier(self._database)
        self.results = SqliteResults(self._database)
        self.artefacts = SqliteArtefacts(self._database)
        self.log = SqliteJobLog(self._database)
        self.series = SqliteSeries(self._database)
        self.schedules = SqliteSchedules(self._database)
        self.users = SqliteUsers(self._database)
        self.webhooks = SqliteWebhooks(self._database)
        self.api_keys = SqliteApiKeys(self._database)
        self.proxies = SqliteProxies(self._database)
        self.projects = SqliteProjects(self._database)

    async def open(self) -> None:
        """See the port."""
        await self._database.open()
        self.jobs.sweep_leftovers()

    async def close(self) -> None:
        """See the port."""
        await self.jobs.close()
        await self._database.close()

    async def now(self) -> float:
        """See the port: all who have the file open are on one machine."""
        return time.time()

    async def ping(self) -> None:
        """See the port."""
        await self._database.read(
            lambda connection: connection.execute("SELECT 1 FROM jobs LIMIT 1").fetchone()
        )
