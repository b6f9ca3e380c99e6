"""Idempotency keys in SQLite: read and written in the transaction that stores the job."""

from __future__ import annotations

import sqlite3

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.idempotency import KEY_SECONDS, OrderKey
from scrapemaster.domain.ids import JobId, UserId
from scrapemaster.domain.job import Job
from scrapemaster.storage.sqlite.keys import job_number

#: Expired keys removed for each new one, so that they are gone in the end and nobody waits for it.
_FORGET_AT_ONCE = 1_000


def ordered_before(connection: sqlite3.Connection, owner: UserId, key: OrderKey, now: float) -> JobId | None:
    """The job that the owner's key made; None when it is new. Raises `Conflict` as `JobStore.add` says."""
    row = connection.execute(
        "SELECT body, job FROM order_keys WHERE owner = ? AND key = ? AND expires_at > ?",
        (owner, key.key, now),
    ).fetchone()
    if row is None:
        return None
    body, job_id = row
    if body != key.body:
        raise Conflict(
            "this Idempotency-Key was used for another order in the last 24 hours; "
            "send the same body, or a new key with the new one"
        )
    if job_number(connection, job_id) is None:
        raise Conflict(
            f"the job {job_id} that this Idempotency-Key made was deleted; send a new key to order it again"
        )
    return JobId(job_id)


def remember(connection: sqlite3.Connection, job: Job, key: OrderKey) -> None:
    """Note which job a key made, and forget keys whose time is over."""
    now = job.created_at
    connection.execute(
        "DELETE FROM order_keys WHERE (owner, key) IN "
        "(SELECT owner, key FROM order_keys WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
        (now, _FORGET_AT_ONCE),
    )
    connection.execute(
        "INSERT OR REPLACE INTO order_keys VALUES (?, ?, ?, ?, ?)",
        (job.owner, key.key, key.body, job.id, now + KEY_SECONDS),
    )
