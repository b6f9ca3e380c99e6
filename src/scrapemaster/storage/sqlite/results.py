"""Rows in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, cast

import orjson

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.item import Result
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.keys import end_key, first_key, job_number

#: Bytes of items after which a batch of a stream ends.
_BATCH_BYTES = 4 * 1024 * 1024
#: Rows that are read on the event loop itself: the API's longest page, some 2 ms of work. A reader thread would ask for the interpreter's lock
#: at each row, and wait for it each time while the event loop is busy.
_FEW = 1_000
#: Bytes of items after which such a page is left to a reader all the same.
_LIGHT_BYTES = 2 * 1024 * 1024
#: Where the item is in a row of `_SELECT`.
_DATA = 5
#: The columns of a `Result`, in its order: the job's id and the key before its first are given.
_SELECT = (
    "SELECT ?, r.key - ?, q.fingerprint, r.part, coalesce(r.url, q.url), r.data, r.scraped_at, r.way "
    "FROM results r JOIN requests q ON q.key = r.request WHERE r.key > ? AND r.key < ?"
)
#: A row as a result: what `Result._make` does, in a third of its time.
_result_of = cast("Callable[[tuple[Any, ...]], Result]", partial(tuple.__new__, Result))


class SqliteResults:
    """See `ports.results.ResultStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, job: JobId, *, after: int = 0, limit: int = 100) -> list[Result]:
        """See the port."""
        if limit > _FEW:
            return await self._rows(job, after, limit)
        rows = await self._rows(job, after, limit, _LIGHT_BYTES, at_once=True)
        if len(rows) < limit and sum(len(row.data) for row in rows) >= _LIGHT_BYTES:
            return [*rows, *await self._rows(job, rows[-1].seq, limit - len(rows))]
        return rows

    async def search(
        self, job: JobId, text: str, *, after: int = 0, limit: int = 100, scan: int = 100_000
    ) -> tuple[list[Result], int | None]:
        """See the port."""
        # As JSON has it, without the quotes: the data are encoded the same way.
        wanted = (
            orjson.dumps(text).decode()[1:-1].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        )
        plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

        def work(connection: sqlite3.Connection) -> tuple[list[Result], int | None]:
            number = job_number(connection, job)
            if number is None:
                return [], None
            before = first_key(number)
            first, end = before + after, min(before + after + scan + 1, end_key(number))
            found = connection.execute(
                f"{_SELECT} AND (CAST(r.data AS TEXT) LIKE ? ESCAPE '\\' OR coalesce(r.url, q.url) LIKE ? ESCAPE '\\') "
                "ORDER BY r.key LIMIT ?",
                (job, before, first, end, f"%{wanted}%", f"%{plain}%", limit),
            ).fetchall()
            rows = list(map(_result_of, found))
            last = before + rows[-1].seq if len(rows) == limit else end - 1
            more = connection.execute(
                "SELECT 1 FROM results WHERE key > ? AND key < ? LIMIT 1", (last, end_key(number))
            ).fetchone()
            return rows, None if more is None else last - before

        return await self._database.read(work)

    async def total(self, job: JobId) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            row = connection.execute(
                "SELECT t.items FROM jobs j JOIN tallies t ON t.job = j.no WHERE j.id = ?", (job,)
            ).fetchone()
            return 0 if row is None else int(row[0])

        return await self._database.read(work)

    async def stream(
        self, job: JobId, *, until: int | None = None, batch: int = 500
    ) -> AsyncIterator[list[Result]]:
        """See the port."""
        end = await self.total(job) if until is None else until
        after = 0
        while after < end:
            rows = await self._rows(job, after, min(batch, end - after), _BATCH_BYTES)
            if not rows:
                return
            yield rows
            after = rows[-1].seq

    async def _rows(
        self, job: JobId, after: int, limit: int, most_bytes: int | None = None, *, at_once: bool = False
    ) -> list[Result]:
        def work(connection: sqlite3.Connection) -> list[Result]:
            number = job_number(connection, job)
            if number is None:
                return []
            first = first_key(number)
            cursor = connection.execute(
                f"{_SELECT} ORDER BY r.key LIMIT ?",
                (job, first, first + after, end_key(number), limit),
            )
            if most_bytes is None:
                return list(map(_result_of, cursor))
            rows, left = [], most_bytes
            for row in cursor:
                rows.append(row)
                left -= len(row[_DATA])
                if left <= 0:
                    break
            cursor.close()
            return list(map(_result_of, rows))

        return await (self._database.peek(work) if at_once else self._database.read(work))
