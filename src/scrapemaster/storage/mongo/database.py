"""One client, transactions in turn for each job, errors in our words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import pymongo
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from scrapemaster.domain.errors import StoreBroken, StoreUnavailable
from scrapemaster.storage.mongo.errors import PASSING, code_of, translate, unfit
from scrapemaster.storage.mongo.migrations import migrate

T = TypeVar("T")
Document = dict[str, Any]
Session = AsyncClientSession
Work = Callable[[Session], Awaitable[T]]

#: The database where the URL names none.
DEFAULT_NAME = "scrapemaster"
#: Seconds to look for a server when none is known to be there; then the API answers 503.
_SELECTION_SECONDS = 5.0
#: Seconds for a few calls, tries after faults included.
_CALL_SECONDS = 10.0
#: Seconds for a transaction, tries after faults included: as long as a replica set takes to elect a primary (10 to 12 s by default),
#: and shorter than a lease.
_WRITE_SECONDS = 15.0
#: Seconds to wait before a transaction that the server had no memory for is tried again.
_PASSING_SECONDS = 0.5
#: Seconds in which collections and indexes are made.
_OPEN_SECONDS = 60.0


class Database:
    """A database of a replica set. `write` takes functions of a session; single calls go under `calls`.

    What was written is on the disks of a majority when the call returns; what is read is so too.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.where = urlsplit(url).netloc.rpartition("@")[2]
        self._client: AsyncMongoClient[Document] | None = None
        self._database: AsyncDatabase[Document] | None = None
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._under_way: set[asyncio.Task[Any]] = set()

    def __getitem__(self, name: str) -> AsyncCollection[Document]:
        if self._database is None:
            raise StoreUnavailable(f"the database at {self.where} is not open")
        return self._database[name]

    async def open(self, *, moving: bool = False) -> None:
        """Connect, see that the server can do what is asked of it, and bring the schema up to date.

        `moving`: to move into it what another store has, when it is refused to all others.
        """
        try:
            # Ours go before what the URL says: with weaker ones, rows could be lost.
            client: AsyncMongoClient[Document] = AsyncMongoClient(
                self._url,
                appname="scrapemaster",
                w="majority",
                readConcernLevel="majority",
                readPreference="primary",
                retryWrites=True,
                retryReads=True,
                serverSelectionTimeoutMS=int(_SELECTION_SECONDS * 1_000),
                connectTimeoutMS=int(_SELECTION_SECONDS * 1_000),
            )
            try:
                self._check_kind(await client.admin.command("hello"))
                database = client.get_default_database(DEFAULT_NAME)
                with pymongo.timeout(_OPEN_SECONDS):
                    await migrate(database, self.where, moving=moving)
            except BaseException:
                await client.close()
                raise
        except PyMongoError as error:
            raise translate(error, self.where) from error
        self._client, self._database = client, database

    @property
    def name(self) -> str:
        """The database's name on its server."""
        return DEFAULT_NAME if self._database is None else self._database.name

    async def close(self) -> None:
        """Finish what was begun and disconnect; twice is no error."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
        client, self._client, self._database = self._client, None, None
        if client is not None:
            await client.close()

    async def ping(self) -> None:
        """Return if the server answers as one that can be written to."""
        async with self.calls():
            await self["schema"].find_one({"_id": "schema"})

    async def now(self) -> float:
        """Epoch seconds by the clock of the server that is written to."""
        async with self.calls():
            answer = await self._connected().admin.command("hello")
            shown: datetime = answer["localTime"]
        return shown.replace(tzinfo=UTC).timestamp()

    @contextlib.asynccontextmanager
    async def calls(self, seconds: float = _CALL_SECONDS) -> AsyncIterator[None]:
        """Calls under one time limit, whose errors become ours."""
        client, task = self._connected(), asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        try:
            if not client.nodes:
                # Under a limit of time the driver looks for a server for all of it, and the API would answer late.
                await client.admin.command("ping")
            with pymongo.timeout(seconds):
                yield
        except PyMongoError as error:
            _go_on_cancelling(task, before)
            raise translate(error, self.where) from error
        _go_on_cancelling(task, before)

    async def write(self, turn: str, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        Transactions with the same `turn` wait for each other here, rather than fail each other in the server and be tried again;
        so do those of other processes, but in the server. `work` may therefore be run more than once. If it raises, or calls `undo`, nothing
        is written.
        """
        task = asyncio.create_task(self._transact(turn, work))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        # The write happens whether or not the caller waits: a cancelled caller must not leave it half known.
        return await asyncio.shield(task)

    async def hold(self, session: Session, name: str) -> None:
        """Keep out, until the transaction under way ends, all others that hold the same name."""
        await self["turns"].update_one({"_id": name}, {"$inc": {"turn": 1}}, upsert=True, session=session)

    async def number(self, name: str, count: int = 1) -> int:
        """The next number of a series, or the first of the next `count`; some may be left out.

        Asked for in a transaction, it is no part of that.
        """
        series = await self["turns"].find_one_and_update(
            {"_id": f"series/{name}"}, {"$inc": {"last": count}}, upsert=True, return_document=True
        )
        return int(there(series)["last"]) - count + 1

    async def read(self, work: Work[T]) -> T:
        """Run `work`, whose reads all see the database as it was at one time."""
        async with self.calls(), self._connected().start_session(snapshot=True) as session:
            return await work(session)

    async def _transact(self, turn: str, work: Work[T]) -> T:
        client = self._connected()
        lock = self._turns.setdefault(turn, asyncio.Lock())
        async with lock, self.calls(_WRITE_SECONDS), client.start_session() as session:
            while True:
                try:
                    result: T = await session.with_transaction(
                        work,
                        read_concern=ReadConcern("snapshot"),
                        write_concern=WriteConcern("majority"),
                        read_preference=ReadPreference.PRIMARY,
                    )
                except OperationFailure as error:
                    # The driver does not try these again: the server says so where it is short of memory for a moment, too.
                    if code_of(error) not in PASSING:
                        raise
                    await asyncio.sleep(_PASSING_SECONDS)
                else:
                    return result

    def _check_kind(self, hello: Document) -> None:
        if why := unfit(hello, self.where):
            raise StoreBroken(why)

    def _connected(self) -> AsyncMongoClient[Document]:
        if self._client is None:
            raise StoreUnavailable(f"the database at {self.where} is not open")
        return self._client

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        # A caller that was cancelled never asks for the error.
        if not task.cancelled():
            task.exception()


def _go_on_cancelling(task: asyncio.Task[Any] | None, before: int) -> None:
    """Raise the cancellation that came since, if one did and the driver lost it.

    It waits by `asyncio.wait_for`, which up to Python 3.11 drops a cancellation that comes when what is waited for is done just then
    (https://github.com/python/cpython/issues/81839): some per cent of those that come during a call.
    """
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def there(found: Document | None) -> Document:
    """A document that is surely there, as the same transaction saw or made it."""
    assert found is not None  # noqa: S101 -- see above
    return found


async def undo(session: Session) -> None:
    """End the transaction without writing."""
    await session.abort_transaction()
