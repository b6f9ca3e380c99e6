"""One file, one writer, several readers, all off the event loop."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from scrapemaster.domain.errors import StoreUnavailable
from scrapemaster.storage.sqlite.errors import translate
from scrapemaster.storage.sqlite.kept import Kept
from scrapemaster.storage.sqlite.migrations import migrate
from scrapemaster.storage.sqlite.recent import Writer

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

#: Operations that share a transaction (and its fsync) at most.
_BATCH = 64
#: Seconds to wait for another process's transaction.
_BUSY_SECONDS = 10.0
_READERS = 4
#: Pages of 4 KB kept by the writer: the upper levels and hot leaves of a frontier of millions.
_CACHE_KB = 65_536
#: Pages in the write-ahead log before they are moved into the file. Pages that many commits touch are moved once.
_CHECKPOINT_PAGES = 16_000


class _Operation:
    """Work for the writer, and who waits for it."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        # A caller that was cancelled never asks for the error.
        self.future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell who waits; called in its loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Database:
    """A SQLite file in WAL mode. `write` and `read` take functions of a connection.

    Writes that wait together are committed together: one transaction, one fsync, and each write is whole or not at all by itself.
    When `write` returns, its effect is on the disk (`synchronous=FULL`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._operations: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    async def open(self) -> None:
        """Open the file, bring its schema up to date, start the threads."""
        await asyncio.to_thread(self._prepare)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")
        self._writer = threading.Thread(target=self._write_loop, name="sqlite-writer", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Finish what waits and close the file; twice is no error."""
        writer, readers = self._writer, self._readers
        self._writer = self._readers = None
        if writer is not None:
            self._operations.put(None)
            await asyncio.to_thread(writer.join)
        if readers is not None:
            await asyncio.to_thread(readers.shutdown)
        self._local = threading.local()
        while self._connections:
            self._connections.pop().close()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the writer's next transaction and return its result once that is durable."""
        if self._writer is None:
            raise StoreUnavailable(f"the database {self.path} is not open")
        operation = _Operation(work, asyncio.get_running_loop())
        self._operations.put(operation)
        # The write happens whether or not the caller waits: a cancelled caller must not leave it half known.
        result: T = await asyncio.shield(operation.future)
        return result

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a reader, which sees what is committed."""
        if self._readers is None:
            raise StoreUnavailable(f"the database {self.path} is not open")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    async def peek(
        self, work: Work[T], key: Hashable = None, *, worth: Callable[[T], bool] | None = None
    ) -> T:
        """As `read`, for a few rows by key: on the event loop itself, where they cost less than the way to a reader and back.

        Waits for nobody: where the file is locked for a moment a reader takes over. With a `key` what was read is kept until the
        file changes; see `Kept`.
        """
        if self._readers is None:
            raise StoreUnavailable(f"the database {self.path} is not open")
        try:
            connection = self._reader("peeker", 0.0)
            if key is None:
                return work(connection)
            kept: Kept | None = getattr(self._local, "kept", None)
            if kept is None:
                kept = self._local.kept = Kept(connection)
            return kept.get(key, work, worth)
        except sqlite3.Error:
            return await self.read(work)

    def _connect(self, busy_seconds: float = _BUSY_SECONDS) -> Writer:
        connection = sqlite3.connect(
            self.path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, factory=Writer
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        return connection

    def _prepare(self) -> None:
        try:
            connection = self._connect()
            try:
                migrate(connection, self.path)
            finally:
                connection.close()
            self.path.chmod(0o600)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _read(self, work: Work[T]) -> T:
        try:
            return work(self._reader("connection", _BUSY_SECONDS))
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _reader(self, name: str, busy_seconds: float) -> sqlite3.Connection:
        """The calling thread's connection of that name, which can only read."""
        connection: sqlite3.Connection | None = getattr(self._local, name, None)
        if connection is None:
            connection = self._connect(busy_seconds)
            connection.execute("PRAGMA query_only = ON")
            setattr(self._local, name, connection)
            self._connections.append(connection)
        return connection

    def _write_loop(self) -> None:
        connection: Writer | None = None
        while True:
            operation = self._operations.get()
            if operation is None:
                break
            batch = [operation]
            stop = False
            while len(batch) < _BATCH and not self._operations.empty():
                more = self._operations.get()
                if more is None:
                    stop = True
                    break
                batch.append(more)
            try:
                if connection is None:
                    connection = self._connect()
                    connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
                self._transact(connection, batch)
            except sqlite3.Error as error:
                for one in batch:
                    one.error = translate(error, self.path)
            _settle(batch)
            if stop:
                break
        if connection is not None:
            connection.close()

    def _transact(self, connection: Writer, batch: list[_Operation]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for operation in batch:
                connection.execute("SAVEPOINT operation")
                try:
                    operation.result = operation.work(connection)
                except sqlite3.Error as error:
                    if not connection.in_transaction:
                        # SQLite gave up the whole transaction (disk full, I/O error).
                        raise
                    operation.error = translate(error, self.path)
                    _undo(connection)
                except Exception as error:  # noqa: BLE001 -- passed on to whoever asked for the write
                    operation.error = error
                    _undo(connection)
                connection.execute("RELEASE operation")
            connection.execute("COMMIT")
        except BaseException:
            connection.recent.forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _undo(connection: Writer) -> None:
    """Take back the operation under way, and what the connection remembers of it."""
    connection.recent.forget()
    connection.execute("ROLLBACK TO operation")


def _settle_all(operations: list[_Operation]) -> None:
    for operation in operations:
        operation.settle()


def _settle(batch: list[_Operation]) -> None:
    """Wake each event loop once, for all of its operations."""
    loops: dict[asyncio.AbstractEventLoop, list[_Operation]] = {}
    for operation in batch:
        loops.setdefault(operation.loop, []).append(operation)
    for loop, operations in loops.items():
        try:
            loop.call_soon_threadsafe(_settle_all, operations)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            continue
