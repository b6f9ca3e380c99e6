"""Events for webhooks, written in the transaction of what they tell of."""

from __future__ import annotations

import json
import sqlite3

import msgspec

from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import uuid7
from scrapemaster.domain.job import TERMINAL, Job, JobStatus
from scrapemaster.domain.webhook import OutboxEvent, event_of

EVENT_COLUMNS = "id, type, at, snapshot, first, last"


def record_move(connection: sqlite3.Connection, number: int, job: Job, now: float, *, fresh: bool) -> None:
    """Write the event that a job's coming to its status is, if an endpoint waits for it.

    `fresh`: the job had not started before. Rows not announced yet are announced first, where the job rests or ends.
    """
    if job.status in TERMINAL or job.status is JobStatus.PAUSED:
        announce_rows(connection, number, job, now)
    kind = event_of(job.status, first_start=fresh)
    if kind is not None and _heard(connection, job, kind):
        _append(connection, OutboxEvent(uuid7(now), kind, now, job))


def announce_rows(connection: sqlite3.Connection, number: int, job: Job, now: float) -> bool:
    """Write an `item.batch` of the rows not announced yet, if there are any and an endpoint waits for it."""
    (announced,) = connection.execute("SELECT announced FROM tallies WHERE job = ?", (number,)).fetchone()
    rows = job.counters.items
    if rows <= announced or not _heard(connection, job, EventType.ITEM_BATCH):
        return False
    _append(connection, OutboxEvent(uuid7(now), EventType.ITEM_BATCH, now, job, announced + 1, rows))
    connection.execute(
        "UPDATE tallies SET announced = ?, announced_at = ? WHERE job = ?", (rows, now, number)
    )
    return True


def event_of_row(row: tuple[str, str, float, str, int | None, int | None]) -> OutboxEvent:
    """The event in a row of EVENT_COLUMNS."""
    id_, kind, at, snapshot, first, last = row
    return OutboxEvent(id_, EventType(kind), at, msgspec.convert(json.loads(snapshot), Job), first, last)


def _heard(connection: sqlite3.Connection, job: Job, kind: EventType) -> bool:
    row = connection.execute(
        "SELECT 1 FROM webhook_endpoints e WHERE owner = ? AND enabled AND (job IS NULL OR job = ?) "
        "AND EXISTS (SELECT 1 FROM json_each(e.events) WHERE value = ?) LIMIT 1",
        (job.owner, job.id, str(kind)),
    ).fetchone()
    return row is not None


def _append(connection: sqlite3.Connection, event: OutboxEvent) -> None:
    # As in the codec: this writer takes any text a client may send.
    snapshot = json.dumps(msgspec.to_builtins(event.job), separators=(",", ":"))
    connection.execute(
        "INSERT INTO webhook_events (id, type, at, job, snapshot, first, last) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event.id, str(event.type), event.at, event.job.id, snapshot, event.first, event.last),
    )
