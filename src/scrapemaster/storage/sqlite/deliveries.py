"""Deliveries to rows and back, and what is done to them: parts of several transactions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from scrapemaster.domain.ids import UserId
from scrapemaster.domain.webhook import (
    Attempt,
    Candidate,
    Delivery,
    DeliveryId,
    DeliveryState,
    EndpointId,
    Settlement,
    succeeded,
)

DELIVERY_COLUMNS = "id, endpoint, owner, type, body, created_at, due_at, state, tries, once, attempts"
LISTED_COLUMNS = DELIVERY_COLUMNS.replace(" body,", " x'',")
#: Attempts kept of a delivery that is replayed again and again.
_ATTEMPTS_KEPT = 50

#: The first few due deliveries of each endpoint that has any, found by skipping from endpoint to endpoint in the index.
_CANDIDATES = """
WITH RECURSIVE waiting (endpoint) AS (
    SELECT min(endpoint) FROM webhook_deliveries WHERE state = 'pending'
    UNION ALL
    SELECT (SELECT min(d.endpoint) FROM webhook_deliveries d
            WHERE d.state = 'pending' AND d.endpoint > waiting.endpoint)
    FROM waiting WHERE waiting.endpoint IS NOT NULL
)
SELECT d.id, d.endpoint, d.owner, d.due_at FROM waiting
JOIN webhook_deliveries d ON d.no IN (
    SELECT f.no FROM webhook_deliveries f
    WHERE f.state = 'pending' AND f.endpoint = waiting.endpoint AND f.due_at <= ? ORDER BY f.due_at, f.no LIMIT ?
)
ORDER BY d.no
"""

#: Endpoints that are gone and have deliveries still.
_ORPHANED = """
WITH RECURSIVE named (endpoint) AS (
    SELECT min(endpoint) FROM webhook_deliveries
    UNION ALL
    SELECT (SELECT min(d.endpoint) FROM webhook_deliveries d WHERE d.endpoint > named.endpoint)
    FROM named WHERE named.endpoint IS NOT NULL
)
SELECT endpoint FROM named WHERE endpoint IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM webhook_endpoints e WHERE e.id = named.endpoint)
"""


def delivery_of(row: tuple[Any, ...]) -> Delivery:
    """The delivery in a row of DELIVERY_COLUMNS."""
    (id_, endpoint, owner, kind, body, created_at, due_at, state, tries, once, attempts) = row
    return Delivery(
        id=id_,
        endpoint_id=endpoint,
        owner=owner,
        type=kind,
        body=bytes(body),
        created_at=created_at,
        due_at=due_at,
        state=DeliveryState(state),
        tries=tries,
        once=bool(once),
        attempts=msgspec.convert(json.loads(attempts), list[Attempt]),
    )


def insert_deliveries(connection: sqlite3.Connection, deliveries: Sequence[Delivery]) -> None:
    """Store the deliveries that do not exist yet."""
    connection.executemany(
        "INSERT OR IGNORE INTO webhook_deliveries "
        "(id, endpoint, owner, type, body, created_at, due_at, state, tries, once, attempts) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.id,
                one.endpoint_id,
                one.owner,
                one.type,
                one.body,
                one.created_at,
                one.due_at,
                str(one.state),
                one.tries,
                one.once,
                json.dumps(msgspec.to_builtins(list(one.attempts))),
            )
            for one in deliveries
        ],
    )


def candidates(connection: sqlite3.Connection, limit: int, now: float) -> list[Candidate]:
    """Up to `limit` due deliveries of each endpoint, the oldest."""
    rows = connection.execute(_CANDIDATES, (now, limit))
    return [Candidate(id_, endpoint, owner, due_at) for id_, endpoint, owner, due_at in rows]


def held(connection: sqlite3.Connection, now: float) -> list[tuple[UserId, EndpointId]]:
    """Owner and endpoint of each delivery whose lease has not ended."""
    rows = connection.execute(
        "SELECT owner, endpoint FROM webhook_deliveries WHERE holder IS NOT NULL AND due_at > ?", (now,)
    )
    return [(UserId(owner), EndpointId(endpoint)) for owner, endpoint in rows]


def take(connection: sqlite3.Connection, delivery_id: DeliveryId, holder: str, until: float) -> Delivery:
    """Lease a delivery."""
    row = connection.execute(
        f"UPDATE webhook_deliveries SET holder = ?, due_at = ? WHERE id = ? RETURNING {DELIVERY_COLUMNS}",
        (holder, until, delivery_id),
    ).fetchone()
    return delivery_of(row)


def settle(
    connection: sqlite3.Connection,
    delivery_id: DeliveryId,
    holder: str,
    attempt: Attempt,
    settlement: Settlement,
) -> bool:
    """See `ports.webhooks.WebhookStore.settle`."""
    row = connection.execute(
        "SELECT endpoint, once, attempts FROM webhook_deliveries WHERE id = ? AND holder = ?",
        (delivery_id, holder),
    ).fetchone()
    if row is None:
        return False
    endpoint, once, attempts = row
    kept = [*json.loads(attempts), msgspec.to_builtins(attempt)][-_ATTEMPTS_KEPT:]
    connection.execute(
        "UPDATE webhook_deliveries SET state = ?, due_at = ?, holder = NULL, tries = tries + 1, attempts = ? "
        "WHERE id = ?",
        (str(settlement.state), settlement.due_at, json.dumps(kept), delivery_id),
    )
    if not once and succeeded(attempt.status):
        connection.execute("UPDATE webhook_endpoints SET failing_since = NULL WHERE id = ?", (endpoint,))
    elif not once:
        connection.execute(
            "UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, ?) WHERE id = ?",
            (attempt.at, endpoint),
        )
    if settlement.disable is not None:
        connection.execute(
            "UPDATE webhook_endpoints SET enabled = 0, disabled_reason = ? WHERE id = ?",
            (settlement.disable, endpoint),
        )
        fail_pending(connection, endpoint)
    return True


def fail_pending(connection: sqlite3.Connection, endpoint_id: str) -> None:
    """Let what waits for a disabled endpoint fail. What is being sent is settled by who sends it."""
    connection.execute(
        "UPDATE webhook_deliveries SET state = 'failed' "
        "WHERE endpoint = ? AND state = 'pending' AND holder IS NULL",
        (endpoint_id,),
    )


def orphaned(connection: sqlite3.Connection) -> list[str]:
    """Endpoints that are gone and have deliveries still."""
    return [endpoint for (endpoint,) in connection.execute(_ORPHANED)]


def prune(connection: sqlite3.Connection, before: float, gone: Sequence[str], limit: int) -> int:
    """Delete up to `limit` deliveries that are old and over, or whose endpoint is among those `gone`; returns how many."""
    count = connection.execute(
        "DELETE FROM webhook_deliveries WHERE no IN (SELECT no FROM webhook_deliveries "
        "WHERE created_at < ? AND state != 'pending' LIMIT ?)",
        (before, limit),
    ).rowcount
    for endpoint in gone:
        count += connection.execute(
            "DELETE FROM webhook_deliveries WHERE no IN "
            "(SELECT no FROM webhook_deliveries WHERE endpoint = ? LIMIT ?)",
            (endpoint, max(0, limit - count)),
        ).rowcount
    return count
