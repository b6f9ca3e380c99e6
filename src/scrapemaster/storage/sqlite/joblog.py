"""The logs of jobs in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import TERMINAL
from scrapemaster.domain.joblog import (
    LOG_LINES,
    LogEvent,
    LogLevel,
    LogLine,
    NewLine,
    Trouble,
    line_of_trouble,
)
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.keys import end_key, first_key, job_number


class SqliteJobLog:
    """See `ports.joblog.JobLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, job: JobId, *, after: int = 0, limit: int = 100) -> list[LogLine]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[LogLine]:
            number = job_number(connection, job)
            if number is None:
                return []
            first = first_key(number)
            rows = connection.execute(
                "SELECT key, at, level, event, message FROM job_log WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
                (first + after, end_key(number), limit),
            )
            return [
                LogLine(key - first, at, LogLevel(level), LogEvent(event), message)
                for key, at, level, event, message in rows
            ]

        return await self._database.read(work)

    async def write(self, job: JobId, lines: Sequence[NewLine], *, now: float) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT no, status FROM jobs WHERE id = ?", (job,)).fetchone()
            if row is not None and row[1] not in TERMINAL:
                write_lines(connection, row[0], now, lines)

        await self._database.write(work)

    async def last(self, job: JobId) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            number = job_number(connection, job)
            return 0 if number is None else _last(connection, number) - first_key(number)

        return await self._database.read(work)


def write_lines(connection: sqlite3.Connection, job: int, at: float, lines: Sequence[NewLine]) -> None:
    """Append lines in the transaction under way."""
    if not lines:
        return
    last = _last(connection, job)
    connection.executemany(
        "INSERT INTO job_log VALUES (?, ?, ?, ?, ?)",
        [
            (last + place, at, line.level, line.event, line.short_message)
            for place, line in enumerate(lines, 1)
        ],
    )
    kept_after = last + len(lines) - LOG_LINES
    if kept_after > first_key(job):
        connection.execute("DELETE FROM job_log WHERE key > ? AND key <= ?", (first_key(job), kept_after))


def write_troubles(connection: sqlite3.Connection, job: int, at: float, troubles: Sequence[Trouble]) -> None:
    """Count a commit's bad ends, and append the lines that are due."""
    lines = []
    for trouble in troubles:
        (total,) = connection.execute(
            "INSERT INTO job_log_counts VALUES (?1, ?2, ?3, ?4) "
            "ON CONFLICT (job, verdict, reason) DO UPDATE SET pages = pages + ?4 RETURNING pages",
            (job, trouble.verdict, trouble.reason, trouble.pages),
        ).fetchone()
        line = line_of_trouble(trouble, total - trouble.pages)
        if line is not None:
            lines.append(line)
    write_lines(connection, job, at, lines)


def _last(connection: sqlite3.Connection, job: int) -> int:
    """The key of the job's last line, or the one before its first."""
    (last,) = connection.execute(
        "SELECT max(key) FROM job_log WHERE key > ? AND key < ?", (first_key(job), end_key(job))
    ).fetchone()
    return first_key(job) if last is None else int(last)
