"""Orders in SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

from scrapemaster.domain.errors import Conflict, NotFound, StoreError
from scrapemaster.domain.idempotency import OrderKey
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import TERMINAL, Job, JobStatus, Priority, sources_of
from scrapemaster.domain.joblog import LogEvent, LogLevel, NewLine, line_of_creation, line_of_transition
from scrapemaster.domain.request import NewRequest
from scrapemaster.ports.jobs import SORTABLE, JobQuery, JobStats
from scrapemaster.storage.sqlite.codec import (
    COUNTER_COLUMNS,
    FILL_COLUMN,
    JOB_COLUMNS,
    job_of,
    spec_of,
    texts,
)
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.discovery import add_requests, drop_leases
from scrapemaster.storage.sqlite.due import next_due
from scrapemaster.storage.sqlite.idempotency import ordered_before, remember
from scrapemaster.storage.sqlite.incremental import baseline_of
from scrapemaster.storage.sqlite.joblog import write_lines
from scrapemaster.storage.sqlite.keys import end_key, first_key, job_number
from scrapemaster.storage.sqlite.outbox import record_move
from scrapemaster.storage.sqlite.retry import copy_failed, copy_known

_SELECT = f"SELECT {JOB_COLUMNS}, {COUNTER_COLUMNS}, {FILL_COLUMN} FROM jobs j JOIN tallies t ON t.job = j.no"
_SORT_COLUMNS = {name: f"j.{name}" for name in SORTABLE} | {
    "progress": "t.progress",
    "items_scraped": "t.items",
}
_CHANGES = frozenset({"stop_reason", "error", "engine_used"})
#: Characters of a job that is kept, once read.
_SHORT = 16_384
#: Rows deleted in one transaction, so that nobody waits long for the writer.
_DELETE_AT_ONCE = 5_000
#: The same for the chunks of artefacts, which are large.
_CHUNKS_AT_ONCE = 64


class SqliteJobs:
    """See `ports.jobs.JobStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sweeps: set[asyncio.Task[None]] = set()

    async def add(self, job: Job, seeds: Sequence[NewRequest], *, key: OrderKey | None = None) -> JobId:
        """See the port."""

        def work(connection: sqlite3.Connection) -> JobId:
            if key is not None:
                before = ordered_before(connection, job.owner, key, job.created_at)
                if before is not None:
                    return before
                remember(connection, job, key)
            add_requests(connection, insert_job(connection, job), seeds)
            return job.id

        return await self._database.write(work)

    async def add_retry(self, job: Job, of: JobId) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            source = job_number(connection, of)
            if source is None:
                raise NotFound("Job not found")
            target = insert_job(connection, job)
            count = copy_failed(connection, source, target)
            if not count:
                raise Conflict("the job has no failed page to try again")
            if job.config.follow_links:
                copy_known(connection, source, target)
            return count

        return await self._database.write(work)

    async def get(self, job_id: JobId, owner: UserId | None = None) -> Job | None:
        """See the port."""
        job, _ = await self._database.peek(
            lambda connection: _read(connection, job_id), ("job", job_id), worth=_is_short
        )
        return None if job is None or (owner is not None and job.owner != owner) else job

    async def find(self, query: JobQuery) -> tuple[list[Job], int]:
        """See the port."""
        where, values = _conditions(query)
        field = query.sort.removeprefix("-")
        direction = "DESC" if query.sort.startswith("-") else "ASC"
        order = f"{_SORT_COLUMNS[field]} {direction}, j.id {direction}"

        def work(connection: sqlite3.Connection) -> tuple[list[Job], int]:
            (total,) = connection.execute(f"SELECT count(*) FROM jobs j{where}", values).fetchone()
            rows = connection.execute(
                f"{_SELECT}{where} ORDER BY {order} LIMIT ? OFFSET ?", [*values, query.limit, query.skip]
            )
            return [job_of(row) for row in rows], int(total)

        return await self._database.read(work)

    async def transition(
        self,
        job_id: JobId,
        target: JobStatus,
        *,
        now: float,
        only_from: JobStatus | None = None,
        if_idle: bool = False,
        **changes: Any,
    ) -> Job | None:
        """See the port."""
        if unknown := set(changes) - _CHANGES:
            raise TypeError(f"a transition cannot set {sorted(unknown)}")

        def work(connection: sqlite3.Connection) -> Job | None:
            sources = [str(source) for source in sources_of(target) if only_from in {None, source}]
            row = connection.execute(
                f"SELECT no, status, started_at FROM jobs WHERE id = ? AND status IN ({_marks(sources)})",
                [job_id, *sources],
            ).fetchone()
            if row is None:
                return None
            number, source, started_at = row
            if if_idle and next_due(connection, number) is not None:
                return None
            sets: dict[str, Any] = {"status": target, **changes}
            if source == JobStatus.PAUSED:
                connection.execute(
                    "UPDATE jobs SET paused_seconds = paused_seconds + max(0, ? - paused_at), "
                    "paused_at = NULL WHERE no = ? AND paused_at IS NOT NULL",
                    (now, number),
                )
            if target is JobStatus.PAUSED:
                sets["paused_at"] = now
            if target in TERMINAL:
                sets["finished_at"] = now
                drop_leases(connection, number)
            assignments = ", ".join(f"{column} = ?" for column in sets)
            connection.execute(f"UPDATE jobs SET {assignments} WHERE no = ?", [*sets.values(), number])
            if target is JobStatus.RUNNING:
                connection.execute(
                    "UPDATE jobs SET started_at = coalesce(started_at, ?) WHERE no = ?", (now, number)
                )
            else:
                connection.execute("UPDATE tallies SET rate = 0 WHERE job = ?", (number,))
            line = line_of_transition(JobStatus(source), target, changes)
            write_lines(connection, number, now, [line])
            if target is JobStatus.COMPLETED:
                connection.execute("UPDATE tallies SET progress = 100 WHERE job = ?", (number,))
            job = _get(connection, job_id)
            if job is not None:
                record_move(connection, number, job, now, fresh=started_at is None)
            return job

        return await self._database.write(work)

    async def warn(self, job_id: JobId, warnings: Sequence[str]) -> None:
        """See the port."""

        def log(connection: sqlite3.Connection, warning: str) -> None:
            row = connection.execute("SELECT no, status FROM jobs WHERE id = ?", (job_id,)).fetchone()
            if row[1] not in TERMINAL:
                line = NewLine(LogEvent.WARNING, warning, LogLevel.WARNING)
                write_lines(connection, row[0], time.time(), [line])

        await self._append(job_id, "warnings", warnings, log)

    async def widen_scope(self, job_id: JobId, host: str) -> None:
        """See the port."""
        await self._append(job_id, "scope_hosts", [host])

    async def delete(self, job_id: JobId) -> bool:
        """See the port. The rows go in the background, some thousands at a time."""

        def work(connection: sqlite3.Connection) -> bool:
            number = job_number(connection, job_id)
            if number is None:
                return False
            connection.execute("DELETE FROM jobs WHERE no = ?", (number,))
            connection.execute("DELETE FROM tallies WHERE job = ?", (number,))
            connection.execute("INSERT OR IGNORE INTO leftovers VALUES (?)", (number,))
            return True

        deleted = await self._database.write(work)
        if deleted:
            self.sweep_leftovers()
        return deleted

    async def delete_of(self, owner: UserId) -> int:
        """See the port. The rows go in the background, as after `delete`."""

        def work(connection: sqlite3.Connection) -> int:
            chosen = "SELECT no FROM jobs WHERE owner = ?"
            connection.execute(f"INSERT OR IGNORE INTO leftovers {chosen}", (owner,))
            connection.execute(f"DELETE FROM tallies WHERE job IN ({chosen})", (owner,))
            return connection.execute("DELETE FROM jobs WHERE owner = ?", (owner,)).rowcount

        deleted = await self._database.write(work)
        if deleted:
            self.sweep_leftovers()
        return deleted

    def sweep_leftovers(self) -> None:
        """Delete, in the background, the rows of jobs that were removed."""
        task = asyncio.create_task(self._sweep())
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def close(self) -> None:
        """Stop deleting; what is left is deleted after the next start."""
        for task in self._sweeps:
            task.cancel()
        await asyncio.gather(*self._sweeps, return_exceptions=True)

    async def unfinished(self) -> list[tuple[JobId, Priority]]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[tuple[JobId, Priority]]:
            rows = connection.execute(
                "SELECT id, priority FROM jobs WHERE status IN ('pending', 'running') ORDER BY no"
            )
            return [(JobId(job_id), Priority(priority)) for job_id, priority in rows]

        return await self._database.read(work)

    async def previous(self, job: Job) -> Job | None:
        """See the port."""
        if job.name is None or job.retry_of is not None:
            return None

        def work(connection: sqlite3.Connection) -> Job | None:
            row = connection.execute(
                f"{_SELECT} WHERE j.owner = ? AND j.name = ? AND j.status = 'completed' AND j.id <> ? "
                "AND json_extract(j.spec, '$.retry_of') IS NULL AND j.compared IS NULL AND j.created_at <= ? ORDER BY j.created_at DESC, j.id DESC LIMIT 1",
                (job.owner, job.name, job.id, job.created_at),
            ).fetchone()
            return None if row is None else job_of(row)

        return await self._database.read(work)

    async def stats(self, owner: UserId | None, *, since: float) -> JobStats:
        """See the port."""
        where, values = ("", []) if owner is None else (" WHERE j.owner = ?", [owner])

        def work(connection: sqlite3.Connection) -> JobStats:
            counts = connection.execute(
                f"SELECT j.status, count(*) FROM jobs j{where} GROUP BY j.status", values
            ).fetchall()
            items, recent = connection.execute(
                "SELECT coalesce(sum(t.items), 0), coalesce(sum(j.created_at >= ?), 0) "
                f"FROM jobs j JOIN tallies t ON t.job = j.no{where}",
                [since, *values],
            ).fetchone()
            status_counts = dict.fromkeys(JobStatus, 0) | {JobStatus(name): count for name, count in counts}
            return JobStats(status_counts, items, recent)

        return await self._database.read(work)

    async def _append(
        self,
        job_id: JobId,
        column: str,
        texts_: Sequence[str],
        then: Callable[[sqlite3.Connection, str], None] | None = None,
    ) -> None:
        if not texts_:
            return

        def work(connection: sqlite3.Connection) -> None:
            for text in texts_:
                added = connection.execute(
                    f"UPDATE jobs SET {column} = json_insert({column}, '$[#]', ?) WHERE id = ? AND NOT EXISTS "
                    f"(SELECT 1 FROM json_each({column}) WHERE value = ?)",
                    (text, job_id, text),
                )
                if added.rowcount and then is not None:
                    then(connection, text)

        await self._database.write(work)

    async def _sweep(self) -> None:
        with contextlib.suppress(StoreError):
            while await self._database.write(_delete_some):  # noqa: ASYNC110 -- gives way between batches
                await asyncio.sleep(0)


def insert_job(connection: sqlite3.Connection, job: Job) -> int:
    """Store a new job without requests, in the transaction under way; returns its number."""
    cursor = connection.execute(
        "INSERT INTO jobs (id, owner, status, engine, priority, name, created_at, tags, urls, "
        "scope_hosts, max_pages, spec, compared) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            job.id,
            job.owner,
            job.status,
            job.engine,
            job.priority,
            job.name,
            job.created_at,
            texts(job.tags),
            texts(job.urls),
            texts(job.scope_hosts),
            job.config.max_pages,
            spec_of(job),
            baseline_of(connection, job),
        ),
    )
    number = int(cursor.lastrowid or 0)
    connection.execute("INSERT INTO tallies (job) VALUES (?)", (number,))
    write_lines(connection, number, job.created_at, [line_of_creation(job)])
    return number


def _get(connection: sqlite3.Connection, job_id: JobId) -> Job | None:
    return _read(connection, job_id)[0]


def _read(connection: sqlite3.Connection, job_id: JobId) -> tuple[Job | None, int]:
    """The job, and about how many characters it was read from."""
    row = connection.execute(f"{_SELECT} WHERE j.id = ?", (job_id,)).fetchone()
    return (None, 0) if row is None else (job_of(row), sum(map(len, (row[2], row[3], row[-2], row[-1]))))


def _is_short(read: tuple[Job | None, int]) -> bool:
    """Whether a job may be kept: one of ten thousand addresses takes a megabyte."""
    return read[1] <= _SHORT


def _conditions(query: JobQuery) -> tuple[str, list[Any]]:
    conditions, values = [], list[Any]()
    for column in ("owner", "status", "engine", "priority"):
        value = getattr(query, column)
        if value is not None:
            conditions.append(f"j.{column} = ?")
            values.append(value)
    if query.schedule is not None:
        conditions.append("json_extract(j.spec, '$.schedule_id') = ?")
        values.append(query.schedule)
    if query.project is not None:
        conditions.append(
            "coalesce(json_extract(j.spec, '$.spider.project'), '') <> '' AND ? IN ('', json_extract(j.spec, '$.spider.project'))"
        )
        values.append(query.project)
    if query.tag is not None:
        conditions.append("EXISTS (SELECT 1 FROM json_each(j.tags) WHERE value = ?)")
        values.append(query.tag)
    if query.text:
        literal = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        conditions.append("(j.name LIKE ? ESCAPE '\\' OR j.urls LIKE ? ESCAPE '\\')")
        values += [f"%{literal}%"] * 2
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _delete_some(connection: sqlite3.Connection) -> bool:
    """Delete some rows of one removed job; False when nothing is left to delete."""
    row = connection.execute("SELECT job FROM leftovers LIMIT 1").fetchone()
    if row is None:
        return False
    (number,) = row
    # A fingerprint may begin with 40 bits of nothing: its key is the first.
    span = (first_key(number) - 1, end_key(number), _DELETE_AT_ONCE)
    deleted = connection.execute(
        "DELETE FROM artefact_chunks WHERE rowid IN "
        "(SELECT rowid FROM artefact_chunks WHERE artefact > ? AND artefact < ? LIMIT ?)",
        (*span[:2], _CHUNKS_AT_ONCE),
    )
    if deleted.rowcount:
        return True
    for table in ("results", "requests", "seen", "leases", "troubled", "job_log", "artefacts"):
        deleted = connection.execute(
            f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE key > ? AND key < ? LIMIT ?)",
            span,
        )
        if deleted.rowcount:
            return True
    for table, column in (
        ("aliases", "fingerprint"),
        ("page_marks", "fingerprint"),
        ("queue", "key"),
        ("waiting", "key"),
    ):
        deleted = connection.execute(
            f"DELETE FROM {table} WHERE job = ? AND {column} IN "
            f"(SELECT {column} FROM {table} WHERE job = ? LIMIT ?)",
            (number, number, _DELETE_AT_ONCE),
        )
        if deleted.rowcount:
            return True
    connection.execute("DELETE FROM job_log_counts WHERE job = ?", (number,))
    connection.execute("DELETE FROM series WHERE job = ?", (number,))
    connection.execute("DELETE FROM holders WHERE job = ?", (number,))
    connection.execute("DELETE FROM leftovers WHERE job = ?", (number,))
    return True
