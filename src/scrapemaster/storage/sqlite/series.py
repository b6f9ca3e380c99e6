"""The courses of jobs in SQLite."""

from __future__ import annotations

import sqlite3

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.series import Point
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.keys import job_number

COLUMNS = "at, seconds, ok, redirected, refused, broken, silent, items, bytes, fetch_ms, slowest_ms"
_ADDED = "ok redirected refused broken silent items bytes fetch_ms".split()
_WRITE = (
    f"INSERT INTO series (job, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    f"ON CONFLICT (job, at, seconds) DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in _ADDED)}, "
    "slowest_ms = max(slowest_ms, excluded.slowest_ms)"
)


class SqliteSeries:
    """See `ports.series.SeriesStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def points(self, job: JobId) -> list[Point]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[Point]:
            number = job_number(connection, job)
            if number is None:
                return []
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM series WHERE job = ? ORDER BY at, seconds", (number,)
            )
            return [Point(*row) for row in rows]

        return await self._database.read(work)


def write_point(connection: sqlite3.Connection, job: int, point: Point) -> None:
    """Add a commit's point in the transaction under way."""
    connection.execute(
        _WRITE,
        (
            job,
            point.at,
            point.seconds,
            point.ok,
            point.redirected,
            point.refused,
            point.broken,
            point.silent,
            point.items,
            point.bytes,
            point.fetch_ms,
            point.slowest_ms,
        ),
    )
