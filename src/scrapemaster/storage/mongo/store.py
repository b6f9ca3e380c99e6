"""The MongoDB store as a whole."""

from __future__ import annotations

from scrapemaster.storage.mongo.database import Database
from scrapemaster.storage.mongo.discovery import Seen
from scrapemaster.storage.mongo.frontier import MongoFrontier
from scrapemaster.storage.mongo.jobs import MongoJobs
from scrapemaster.storage.mongo.results import MongoResults
from scrapemaster.storage.mongo.users import MongoUsers


class MongoStore:
    """See `ports.store.Store`: all that is kept, in the database that `url` names.

    `url` is a connection string of MongoDB's drivers; without a database in it, that is `scrapemaster`. Any number of processes on any number of
    machines may open the same database.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        seen = Seen()
        self.jobs = MongoJobs(self._database, seen)
        self.frontier = MongoFrontier(self._database, seen)
        self.results = MongoResults(self._database)
        self.users = MongoUsers(self._database)

    async def open(self) -> None:
        """See the port."""
        await self._database.open()
        self.jobs.sweep_leftovers()

    async def close(self) -> None:
        """See the port."""
        await self.jobs.close()
        await self._database.close()

    async def ping(self) -> None:
        """See the port."""
        await self._database.ping()
