"""The MongoDB store as a whole."""

from __future__ import annotations

from scrapemaster.storage.mongo.api_keys import MongoApiKeys
from scrapemaster.storage.mongo.artefacts import MongoArtefacts
from scrapemaster.storage.mongo.claims import Claims
from scrapemaster.storage.mongo.database import Database
from scrapemaster.storage.mongo.discovery import Seen
from scrapemaster.storage.mongo.frontier import MongoFrontier
from scrapemaster.storage.mongo.joblog import MongoJobLog
from scrapemaster.storage.mongo.jobs import MongoJobs
from scrapemaster.storage.mongo.leftovers import Leftovers
from scrapemaster.storage.mongo.projects import MongoProjects
from scrapemaster.storage.mongo.proxies import MongoProxies
from scrapemaster.storage.mongo.results import MongoResults
from scrapemaster.storage.mongo.schedules import MongoSchedules
from scrapemaster.storage.mongo.series import MongoSeries
from scrapemaster.storage.mongo.users import MongoUsers
from scrapemaster.storage.mongo.webhooks import MongoWebhooks


class MongoStore:
    """See `ports.store.Store`: all that is kept, in the database that `url` names.

    `url` is a connection string of MongoDB's drivers; without a database in it, that is `scrapemaster`. Any number of processes on any number of
    machines may open the same database; `claims` says which of them may use it together.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        seen = Seen()
        self._leftovers = Leftovers(self._database)
        self.claims = Claims(self._database)
        self.jobs = MongoJobs(self._database, seen, self._leftovers)
        self.frontier = MongoFrontier(self._database, seen)
        self.results = MongoResults(self._database)
        self.artefacts = MongoArtefacts(self._database)
        self.log = MongoJobLog(self._database)
        self.series = MongoSeries(self._database)
        self.schedules = MongoSchedules(self._database)
        self.users = MongoUsers(self._database)
        self.webhooks = MongoWebhooks(self._database)
        self.api_keys = MongoApiKeys(self._database)
        self.proxies = MongoProxies(self._database)
        self.projects = MongoProjects(self._database)

    async def open(self) -> None:
        """See the port."""
        await self._database.open()
        self._leftovers.sweep()

    async def close(self) -> None:
        """See the port."""
        await self._leftovers.close()
        await self._database.close()

    async def now(self) -> float:
        """See the port: the primary's clock."""
        return await self._database.now()

    async def ping(self) -> None:
        """See the port."""
        await self._database.ping()
