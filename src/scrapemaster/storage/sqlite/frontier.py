"""Known requests in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from scrapemaster.domain.errors import NotFound
from scrapemaster.domain.ids import JobId
from scrapemaster.domain.job import TERMINAL, Counters, JobStatus, budget_left
from scrapemaster.domain.outcome import FailedPage, Outcome
from scrapemaster.domain.request import Leased, NewRequest
from scrapemaster.storage.sqlite.codec import COUNTER_COLUMNS, unpacked
from scrapemaster.storage.sqlite.commit import commit_outcomes
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.discovery import add_requests, interrupt_leases, release_leases
from scrapemaster.storage.sqlite.due import job_counters, next_due
from scrapemaster.storage.sqlite.keys import end_key, first_key, job_number
from scrapemaster.storage.sqlite.retry import retry_failed

_OVER = frozenset(str(status) for status in TERMINAL)


class SqliteFrontier:
    """See `ports.frontier.Frontier`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: JobId, requests: Sequence[NewRequest]) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            row = connection.execute("SELECT no, status FROM jobs WHERE id = ?", (job,)).fetchone()
            if row is None:
                raise NotFound("Job not found")
            number, status = row
            return 0 if status in _OVER else add_requests(connection, number, requests)

        return await self._database.write(work)

    async def lease(self, job: JobId, holder: str, limit: int, seconds: float, *, now: float) -> list[Leased]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[Leased]:
            row = connection.execute(
                f"SELECT j.no, j.status, j.max_pages, {COUNTER_COLUMNS} "
                "FROM jobs j JOIN tallies t ON t.job = j.no WHERE j.id = ?",
                (job,),
            ).fetchone()
            if row is None or row[1] != JobStatus.RUNNING or limit < 1:
                return []
            number, _, max_pages = row[:3]
            counters = Counters(*row[3:])
            if counters.leased:
                interrupt_leases(connection, number, ended_before=now)
                counters = job_counters(connection, number)
            return _take(
                connection, number, _name(job, holder), limit, budget_left(counters, max_pages), now, seconds
            )

        return await self._database.write(work)

    async def renew(self, job: JobId, holder: str, seconds: float, *, now: float) -> None:
        """See the port."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE holders SET ends_at = ? WHERE name = ?", (now + seconds, _name(job, holder))
                ).rowcount
            )
        )

    async def commit(
        self,
        job: JobId,
        holder: str,
        outcomes: Sequence[Outcome],
        *,
        rate: float | None = None,
        progress: float | None = None,
    ) -> Counters:
        """See the port."""
        return await self._database.write(
            lambda connection: commit_outcomes(connection, job, _name(job, holder), outcomes, rate, progress)
        )

    async def release(
        self, job: JobId, holder: str, keys: Sequence[int] | None = None, *, due_at: float = 0.0
    ) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT no, job FROM holders WHERE name = ?", (_name(job, holder),)
            ).fetchone()
            if row is not None:
                release_leases(connection, row[1], row[0], keys, due_at)

        await self._database.write(work)

    async def release_all(self, *, worker: str | None = None, blamed: tuple[JobId, int] | None = None) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            jobs = connection.execute("SELECT DISTINCT job FROM holders").fetchall()
            key = None if blamed is None else blamed[1]
            return sum(
                interrupt_leases(connection, job, ended_before=None, worker=worker, blamed=key)
                for (job,) in jobs
            )

        return await self._database.write(work)

    async def retry_failed(self, job: JobId, *, now: float) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            row = connection.execute("SELECT no, status FROM jobs WHERE id = ?", (job,)).fetchone()
            if row is None:
                raise NotFound("Job not found")
            number, status = row
            return 0 if status in _OVER else retry_failed(connection, number, now)

        return await self._database.write(work)

    async def counters(self, job: JobId) -> Counters:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Counters:
            number = job_number(connection, job)
            return Counters() if number is None else job_counters(connection, number)

        return await self._database.read(work)

    async def recount(self, job: JobId) -> Counters:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Counters:
            number = job_number(connection, job)
            return Counters() if number is None else _recount(connection, number)

        return await self._database.write(work)

    async def next_due(self, job: JobId) -> float | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> float | None:
            number = job_number(connection, job)
            return None if number is None else next_due(connection, number)

        return await self._database.read(work)

    async def reasons(self, job: JobId) -> Mapping[str, int]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Mapping[str, int]:
            number = job_number(connection, job)
            if number is None:
                return {}
            return dict(
                connection.execute(
                    "SELECT reason, count(*) FROM troubled WHERE key > ? AND key < ? AND state IS NOT NULL "
                    "GROUP BY reason",
                    (first_key(number), end_key(number)),
                ).fetchall()
            )

        return await self._database.read(work)

    async def failures(self, job: JobId, *, skip: int = 0, limit: int = 100) -> tuple[list[FailedPage], int]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> tuple[list[FailedPage], int]:
            number = job_number(connection, job)
            if number is None:
                return [], 0
            span = (first_key(number), end_key(number))
            (total,) = connection.execute(
                "SELECT count(*) FROM troubled WHERE key > ? AND key < ? AND state IS NOT NULL", span
            ).fetchone()
            rows = connection.execute(
                "SELECT q.url, t.state, t.reason, t.detail, t.status, t.attempts, t.at, t.evidence "
                "FROM troubled t JOIN requests q ON q.key = t.key "
                "WHERE t.key > ? AND t.key < ? AND t.state IS NOT NULL ORDER BY t.at, t.key LIMIT ? OFFSET ?",
                (*span, limit, skip),
            )
            return [
                FailedPage(url, state, reason, detail, status, attempts, at, unpacked(evidence))
                for url, state, reason, detail, status, attempts, at, evidence in rows
            ], int(total)

        return await self._database.read(work)


def _name(job: JobId, holder: str) -> str:
    return f"{job}/{holder}"


def _take(  # noqa: PLR0917 -- one call, by position, inside a transaction
    connection: sqlite3.Connection,
    job: int,
    holder: str,
    limit: int,
    budget: int,
    now: float,
    seconds: float,
) -> list[Leased]:
    """Lease what is due: first what was put back, then what is new, as far as the budget goes."""
    put_back = connection.execute(
        "SELECT w.due_at, q.key, q.fingerprint, q.url, q.depth, coalesce(t.attempts, 0), "
        "coalesce(t.interruptions, 0), coalesce(t.asked, 0) "
        "FROM waiting w JOIN requests q ON q.key = w.key LEFT JOIN troubled t ON t.key = w.key "
        "WHERE w.job = ? AND w.due_at <= ? AND (? OR t.asked) ORDER BY w.due_at, w.key LIMIT ?",
        (job, now, budget > 0, limit),
    ).fetchall()
    taken: list[Leased] = []
    gone: list[tuple[int, float, int]] = []
    fresh = 0
    for due_at, key, mark, url, depth, attempts, interruptions, asked in put_back:
        if not asked:
            if fresh >= budget:
                continue
            fresh += 1
        gone.append((job, due_at, key))
        taken.append(Leased(key, mark, url, depth, attempts, interruptions, bool(asked)))
    connection.executemany("DELETE FROM waiting WHERE job = ? AND due_at = ? AND key = ?", gone)
    new = min(limit - len(taken), budget - fresh)
    if new > 0:
        rows = connection.execute(
            "SELECT p.rank, q.key, q.fingerprint, q.url, q.depth FROM queue p JOIN requests q ON q.key = p.key "
            "WHERE p.job = ? ORDER BY p.rank, p.key LIMIT ?",
            (job, new),
        ).fetchall()
        if rows:
            # They are the first of the queue, so that one range is deleted.
            connection.execute(
                "DELETE FROM queue WHERE job = ? AND (rank, key) <= (?, ?)", (job, rows[-1][0], rows[-1][1])
            )
            taken += [Leased(*row[1:]) for row in rows]
            fresh += len(rows)
    if not taken:
        return []
    (holder_no,) = connection.execute(
        "INSERT INTO holders (job, name, ends_at) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET ends_at = excluded.ends_at RETURNING no",
        (job, holder, now + seconds),
    ).fetchone()
    connection.executemany(f"INSERT INTO leases VALUES (?, {int(holder_no)})", [(one.key,) for one in taken])
    connection.execute(
        "UPDATE tallies SET leased = leased + ?1, queued = queued - ?1, fresh = fresh + ?2 WHERE job = ?3",
        (len(taken), fresh, job),
    )
    return taken


def _recount(connection: sqlite3.Connection, number: int) -> Counters:
    """Derive the counters from the tables: a request is handled when no table says otherwise."""
    first, end = first_key(number), end_key(number)

    def count(statement: str, *values: object) -> int:
        return int(connection.execute(statement, values).fetchone()[0])

    discovered = count("SELECT count(*) FROM requests WHERE key > ? AND key < ?", first, end)
    queued = count("SELECT count(*) FROM queue WHERE job = ?", number)
    queued += count("SELECT count(*) FROM waiting WHERE job = ?", number)
    leased = count("SELECT count(*) FROM leases WHERE key > ? AND key < ?", first, end)
    marks = "SELECT count(*) FROM troubled WHERE key > ? AND key < ? AND state = ?"
    failed, skipped = count(marks, first, end, "failed"), count(marks, first, end, "skipped")
    items = count("SELECT count(*) FROM results WHERE key > ? AND key < ?", first, end)
    fetched = discovered - queued - leased - failed - skipped
    connection.execute(
        "UPDATE tallies SET discovered = ?, queued = ?, leased = ?, failed = ?, skipped = ?, items = ?, "
        "fetched = ? WHERE job = ?",
        (discovered, queued, leased, failed, skipped, items, fetched, number),
    )
    return job_counters(connection, number)
