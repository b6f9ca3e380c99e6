"""Webhook endpoints, the outbox and deliveries in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.events import EventType
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.webhook import (
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryState,
    Due,
    Endpoint,
    EndpointId,
    OutboxEvent,
    Settlement,
    fair_choice,
)
from scrapemaster.storage.sqlite import deliveries as rows_of
from scrapemaster.storage.sqlite.codec import COUNTER_COLUMNS, FILL_COLUMN, JOB_COLUMNS, job_of, texts
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.outbox import EVENT_COLUMNS, announce_rows, event_of_row

FIELDS = (
    "id",
    "owner",
    "url",
    "events",
    "secret",
    "created_at",
    "description",
    "job_id",
    "enabled",
    "disabled_reason",
    "failing_since",
    "old_secret",
    "old_secret_until",
)
COLUMNS = ", ".join("job" if name == "job_id" else name for name in FIELDS)
_CHANGES = frozenset({"url", "events", "description", "enabled"})
#: Jobs' own endpoints whose job is gone, with nothing left to be sent to them.
_ABANDONED = (
    "SELECT e.id FROM webhook_endpoints e WHERE e.job IS NOT NULL AND e.created_at < ? "
    "AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = e.job) "
    "AND NOT EXISTS (SELECT 1 FROM webhook_events v WHERE v.job = e.job) "
    "AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = e.id AND d.state = 'pending')"
)
#: Running jobs with rows to announce, where somebody asked for that.
_ANNOUNCEABLE = (
    "FROM jobs j JOIN tallies t ON t.job = j.no WHERE j.status IN ('pending', 'running') "
    "AND t.items > t.announced AND t.announced_at <= ? AND EXISTS (SELECT 1 FROM webhook_endpoints e "
    "WHERE e.owner = j.owner AND e.enabled AND (e.job IS NULL OR e.job = j.id) "
    "AND EXISTS (SELECT 1 FROM json_each(e.events) WHERE value = 'item.batch'))"
)


class SqliteWebhooks:
    """See `ports.webhooks.WebhookStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, endpoint: Endpoint, *, at_most: int | None = None) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            (count,) = connection.execute(
                "SELECT count(*) FROM webhook_endpoints WHERE owner = ? AND job IS NULL", (endpoint.owner,)
            ).fetchone()
            if at_most is not None and count >= at_most:
                raise Conflict(
                    f"you have {count} webhooks, and no user may have more: remove one, or give one more events"
                )
            connection.execute(
                f"INSERT INTO webhook_endpoints ({COLUMNS}) VALUES ({', '.join('?' * len(FIELDS))})",
                [texts(endpoint.events) if name == "events" else getattr(endpoint, name) for name in FIELDS],
            )

        await self._database.write(work)

    async def get(self, endpoint_id: EndpointId, owner: UserId | None = None) -> Endpoint | None:
        """See the port."""
        found = await self._database.read(lambda connection: _endpoint(connection, endpoint_id))
        return None if found is None or (owner is not None and found.owner != owner) else found

    async def find(
        self, owner: UserId | None, *, skip: int = 0, limit: int = 50
    ) -> tuple[list[Endpoint], int]:
        """See the port."""
        where, values = ("job IS NULL", []) if owner is None else ("job IS NULL AND owner = ?", [owner])

        def work(connection: sqlite3.Connection) -> tuple[list[Endpoint], int]:
            (total,) = connection.execute(
                f"SELECT count(*) FROM webhook_endpoints WHERE {where}", values
            ).fetchone()
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM webhook_endpoints WHERE {where} ORDER BY no LIMIT ? OFFSET ?",
                [*values, limit, skip],
            )
            return [endpoint_of(row) for row in rows], int(total)

        return await self._database.read(work)

    async def change(self, endpoint_id: EndpointId, **changes: Any) -> Endpoint | None:
        """See the port."""
        if unknown := set(changes) - _CHANGES:
            raise TypeError(f"an endpoint's {sorted(unknown)} cannot be changed")
        sets = {name: texts(value) if name == "events" else value for name, value in changes.items()}
        if changes.get("enabled"):
            sets |= {"disabled_reason": None, "failing_since": None}

        def work(connection: sqlite3.Connection) -> Endpoint | None:
            if sets:
                assignments = ", ".join(f"{name} = ?" for name in sets)
                connection.execute(
                    f"UPDATE webhook_endpoints SET {assignments} WHERE id = ?", [*sets.values(), endpoint_id]
                )
            if changes.get("enabled") is False:
                rows_of.fail_pending(connection, endpoint_id)
            return _endpoint(connection, endpoint_id)

        return await self._database.write(work)

    async def rotate(self, endpoint_id: EndpointId, secret: str, *, old_until: float) -> Endpoint | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Endpoint | None:
            connection.execute(
                "UPDATE webhook_endpoints SET old_secret = secret, secret = ?, old_secret_until = ? WHERE id = ?",
                (secret, old_until, endpoint_id),
            )
            return _endpoint(connection, endpoint_id)

        return await self._database.write(work)

    async def remove(self, endpoint_id: EndpointId) -> bool:
        """See the port."""
        return await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM webhook_endpoints WHERE id = ?", (endpoint_id,)).rowcount > 0
            )
        )

    async def events(self, limit: int) -> list[OutboxEvent]:
        """See the port."""
        return await self._database.read(
            lambda connection: [
                event_of_row(row)
                for row in connection.execute(
                    f"SELECT {EVENT_COLUMNS} FROM webhook_events ORDER BY no LIMIT ?", (limit,)
                )
            ]
        )

    async def listeners(self, owner: UserId, job_id: JobId, event: EventType) -> list[Endpoint]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[Endpoint]:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM webhook_endpoints WHERE owner = ? AND enabled "
                "AND (job IS NULL OR job = ?) ORDER BY no",
                (owner, job_id),
            )
            return [found for found in map(endpoint_of, rows) if event in found.events]

        return await self._database.read(work)

    async def expand(self, event_id: str, deliveries: Sequence[Delivery]) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            gone = connection.execute("DELETE FROM webhook_events WHERE id = ?", (event_id,)).rowcount
            if gone:
                rows_of.insert_deliveries(connection, deliveries)

        await self._database.write(work)

    async def announce(self, *, every: float, now: float) -> int:
        """See the port."""
        since = now - every

        def any_there(connection: sqlite3.Connection) -> bool:
            return connection.execute(f"SELECT 1 {_ANNOUNCEABLE} LIMIT 1", (since,)).fetchone() is not None

        def work(connection: sqlite3.Connection) -> int:
            rows = connection.execute(
                f"SELECT j.no, {JOB_COLUMNS}, {COUNTER_COLUMNS}, {FILL_COLUMN} {_ANNOUNCEABLE}", (since,)
            ).fetchall()
            return sum(announce_rows(connection, number, job_of(row), now) for number, *row in rows)

        return await self._database.write(work) if await self._database.read(any_there) else 0

    async def post(self, delivery: Delivery) -> None:
        """See the port."""
        await self._database.write(lambda connection: rows_of.insert_deliveries(connection, [delivery]))

    async def delivery(self, endpoint_id: EndpointId, delivery_id: DeliveryId) -> Delivery | None:
        """See the port."""
        return await self._database.read(lambda connection: _delivery(connection, endpoint_id, delivery_id))

    async def deliveries(
        self,
        endpoint_id: EndpointId,
        *,
        state: DeliveryState | None = None,
        skip: int = 0,
        limit: int = 50,
    ) -> tuple[list[Delivery], int]:
        """See the port."""
        where, values = "endpoint = ?", [str(endpoint_id)]
        if state is not None:
            where, values = f"{where} AND state = ?", [*values, str(state)]

        def work(connection: sqlite3.Connection) -> tuple[list[Delivery], int]:
            (total,) = connection.execute(
                f"SELECT count(*) FROM webhook_deliveries WHERE {where}", values
            ).fetchone()
            rows = connection.execute(
                f"SELECT {rows_of.LISTED_COLUMNS} FROM webhook_deliveries WHERE {where} "
                "ORDER BY no DESC LIMIT ? OFFSET ?",
                [*values, limit, skip],
            )
            return [rows_of.delivery_of(row) for row in rows], int(total)

        return await self._database.read(work)

    async def replay(
        self, endpoint_id: EndpointId, delivery_id: DeliveryId, *, now: float
    ) -> Delivery | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Delivery | None:
            changed = connection.execute(
                "UPDATE webhook_deliveries SET state = 'pending', due_at = ?1, tries = 0, holder = NULL "
                "WHERE id = ?2 AND endpoint = ?3 AND (holder IS NULL OR due_at <= ?1)",
                (now, delivery_id, endpoint_id),
            )
            found = _delivery(connection, endpoint_id, delivery_id)
            if found is not None and not changed.rowcount:
                raise Conflict("it is being sent at this moment; look at its attempts in some seconds")
            return found

        return await self._database.write(work)

    async def lease(
        self, holder: str, limit: int, seconds: float, *, per_endpoint: int, per_owner: int, now: float
    ) -> list[Due]:
        """See the port."""

        def any_there(connection: sqlite3.Connection) -> bool:
            return bool(rows_of.candidates(connection, 1, now))

        def work(connection: sqlite3.Connection) -> list[Due]:
            chosen = fair_choice(
                rows_of.candidates(connection, per_endpoint, now),
                rows_of.held(connection, now),
                limit=limit,
                per_endpoint=per_endpoint,
                per_owner=per_owner,
            )
            leased = []
            for one in chosen:
                endpoint = _endpoint(connection, one.endpoint_id)
                if endpoint is not None and endpoint.enabled:
                    taken = rows_of.take(connection, one.id, holder, now + seconds)
                    leased.append(Due(taken, endpoint))
                else:
                    connection.execute(
                        "UPDATE webhook_deliveries SET state = 'failed', holder = NULL "
                        "WHERE endpoint = ? AND state = 'pending'",
                        (one.endpoint_id,),
                    )
            return leased

        # Looking costs no transaction: most of the time nothing is due.
        return await self._database.write(work) if await self._database.read(any_there) else []

    async def settle(
        self, delivery_id: DeliveryId, holder: str, attempt: Attempt, settlement: Settlement
    ) -> bool:
        """See the port."""
        return await self._database.write(
            lambda connection: rows_of.settle(connection, delivery_id, holder, attempt, settlement)
        )

    async def release(self, holder: str | None) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE webhook_deliveries SET holder = NULL, due_at = 0 "
                "WHERE holder IS NOT NULL AND state = 'pending' AND holder = coalesce(?, holder)",
                (holder,),
            )

        await self._database.write(work)

    async def prune(self, *, before: float, limit: int) -> int:
        """See the port."""

        def look(connection: sqlite3.Connection) -> tuple[list[str], list[tuple[str]]]:
            abandoned = connection.execute(f"{_ABANDONED} LIMIT ?", (before, limit)).fetchall()
            return rows_of.orphaned(connection), abandoned

        def work(connection: sqlite3.Connection) -> int:
            # Neither comes back: endpoints' and jobs' ids are never used again.
            connection.executemany("DELETE FROM webhook_endpoints WHERE id = ?", abandoned)
            return rows_of.prune(connection, before, gone, limit)

        # Looking takes long where there is much, and must not keep writers waiting.
        gone, abandoned = await self._database.read(look)
        return await self._database.write(work)


def _endpoint(connection: sqlite3.Connection, endpoint_id: EndpointId) -> Endpoint | None:
    row = connection.execute(
        f"SELECT {COLUMNS} FROM webhook_endpoints WHERE id = ?", (endpoint_id,)
    ).fetchone()
    return None if row is None else endpoint_of(row)


def endpoint_of(row: tuple[Any, ...]) -> Endpoint:
    """The endpoint in a row of COLUMNS."""
    values = dict(zip(FIELDS, row, strict=True))
    values |= {"events": json.loads(values["events"]), "enabled": bool(values["enabled"])}
    return msgspec.convert(values, Endpoint)


def _delivery(
    connection: sqlite3.Connection, endpoint_id: EndpointId, delivery_id: DeliveryId
) -> Delivery | None:
    row = connection.execute(
        f"SELECT {rows_of.DELIVERY_COLUMNS} FROM webhook_deliveries WHERE id = ? AND endpoint = ?",
        (delivery_id, endpoint_id),
    ).fetchone()
    return None if row is None else rows_of.delivery_of(row)
