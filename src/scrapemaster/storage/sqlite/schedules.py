"""Schedules in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import ScheduleId, UserId
from scrapemaster.domain.job import TERMINAL, Job
from scrapemaster.domain.request import NewRequest
from scrapemaster.domain.schedule import Claim, Overlap, Schedule
from scrapemaster.storage.sqlite.codec import texts
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.discovery import add_requests
from scrapemaster.storage.sqlite.jobs import insert_job

FIELDS = "id owner created_at cron timezone enabled overlap name next_run_at last_run_at last_job_id last_error version".split()
COLUMNS = ", ".join(FIELDS)
_SELECT = f"SELECT {COLUMNS}, spec FROM schedules"


class SqliteSchedules:
    """See `ports.schedules.ScheduleStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, schedule: Schedule, *, limit: int) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            (count,) = connection.execute(
                "SELECT count(*) FROM schedules WHERE owner = ?", (schedule.owner,)
            ).fetchone()
            if count >= limit:
                raise Conflict(f"you have {count} schedules, and {limit} are allowed; delete one first")
            values = [getattr(schedule, name) for name in FIELDS]
            marks = ", ".join("?" * len(values))
            connection.execute(
                f"INSERT INTO schedules ({COLUMNS}, spec) VALUES ({marks}, ?)", [*values, _spec(schedule)]
            )

        await self._database.write(work)

    async def get(self, schedule_id: ScheduleId, owner: UserId | None = None) -> Schedule | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Schedule | None:
            schedule = _get(connection, schedule_id)
            return None if schedule is None or (owner is not None and schedule.owner != owner) else schedule

        return await self._database.read(work)

    async def find(
        self, owner: UserId | None, *, skip: int = 0, limit: int = 50
    ) -> tuple[list[Schedule], int]:
        """See the port."""
        where, values = ("", []) if owner is None else (" WHERE owner = ?", [owner])

        def work(connection: sqlite3.Connection) -> tuple[list[Schedule], int]:
            (total,) = connection.execute(f"SELECT count(*) FROM schedules{where}", values).fetchone()
            rows = connection.execute(
                f"{_SELECT}{where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", [*values, limit, skip]
            )
            return [schedule_of(row) for row in rows], int(total)

        return await self._database.read(work)

    async def update(self, schedule: Schedule) -> bool:
        """See the port."""

        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE schedules SET cron = ?, timezone = ?, enabled = ?, overlap = ?, name = ?, next_run_at = ?, "
                "spec = ?, version = version + 1 WHERE id = ? AND version = ?",
                (
                    schedule.cron,
                    schedule.timezone,
                    schedule.enabled,
                    schedule.overlap,
                    schedule.name,
                    schedule.next_run_at,
                    _spec(schedule),
                    schedule.id,
                    schedule.version,
                ),
            )
            if not changed.rowcount and _get(connection, schedule.id) is None:
                raise NotFound("Schedule not found")
            return bool(changed.rowcount)

        return await self._database.write(work)

    async def delete(self, schedule_id: ScheduleId) -> bool:
        """See the port."""
        return await self._database.write(
            lambda connection: bool(
                connection.execute("DELETE FROM schedules WHERE id = ?", (schedule_id,)).rowcount
            )
        )

    async def due(self, now: float, *, limit: int) -> list[Schedule]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[Schedule]:
            rows = connection.execute(
                f"{_SELECT} WHERE next_run_at <= ? ORDER BY next_run_at LIMIT ?", (now, limit)
            )
            return [schedule_of(row) for row in rows]

        return await self._database.read(work)

    async def run(
        self,
        schedule_id: ScheduleId,
        job: Job | None,
        seeds: Sequence[NewRequest] = (),
        *,
        now: float,
        due_at: float | None = None,
        next_run_at: float | None = None,
        error: str | None = None,
    ) -> Claim:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Claim:
            schedule = _get(connection, schedule_id)
            if schedule is None or (due_at is not None and schedule.next_run_at != due_at):
                return Claim.LOST
            sets: dict[str, Any] = {"version": schedule.version + 1}
            if due_at is not None:
                sets["next_run_at"] = next_run_at
            claim = Claim.TAKEN
            if job is None:
                sets["last_error"] = error
            elif schedule.overlap is Overlap.SKIP and _is_unfinished(connection, schedule):
                claim = Claim.SKIPPED
                if due_at is not None:
                    sets["last_error"] = f"skipped, because job {schedule.last_job_id} was not over"
            else:
                add_requests(connection, insert_job(connection, job), seeds)
                sets |= {"last_run_at": max(now, due_at or now), "last_job_id": job.id, "last_error": None}
            assignments = ", ".join(f"{column} = ?" for column in sets)
            connection.execute(
                f"UPDATE schedules SET {assignments} WHERE id = ?", [*sets.values(), schedule_id]
            )
            return claim

        return await self._database.write(work)


def _get(connection: sqlite3.Connection, schedule_id: ScheduleId) -> Schedule | None:
    row = connection.execute(f"{_SELECT} WHERE id = ?", (schedule_id,)).fetchone()
    return None if row is None else schedule_of(row)


def _is_unfinished(connection: sqlite3.Connection, schedule: Schedule) -> bool:
    """Whether the last run's job exists and is not over."""
    row = connection.execute("SELECT status FROM jobs WHERE id = ?", (schedule.last_job_id,)).fetchone()
    return row is not None and row[0] not in TERMINAL


def _spec(schedule: Schedule) -> str:
    return texts({"order": schedule.order, "order_asked": schedule.order_asked})


def schedule_of(row: tuple[Any, ...]) -> Schedule:
    """The schedule in a row of COLUMNS and `spec`."""
    values = dict(zip(FIELDS, row[:-1], strict=True)) | json.loads(row[-1])
    return msgspec.convert(values | {"enabled": bool(values["enabled"])}, Schedule)
