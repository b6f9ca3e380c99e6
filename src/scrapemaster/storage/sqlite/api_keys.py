"""API keys in SQLite."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import ApiKeyId, UserId
from scrapemaster.domain.user import User
from scrapemaster.storage.sqlite.codec import USER_FIELDS, user_of
from scrapemaster.storage.sqlite.database import Database

FIELDS = (
    "id",
    "owner",
    "name",
    "hashed",
    "prefix",
    "last4",
    "created_at",
    "expires_at",
    "last_used_at",
)
COLUMNS = ", ".join(FIELDS)
_BOTH = ", ".join([*(f"k.{name}" for name in FIELDS), *(f"u.{name}" for name in USER_FIELDS)])


class SqliteApiKeys:
    """See `ports.api_keys.ApiKeyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, *, most: int) -> None:
        """See the port."""
        values = [getattr(key, field) for field in FIELDS]

        def work(connection: sqlite3.Connection) -> None:
            (count,) = connection.execute(
                "SELECT count(*) FROM api_keys WHERE owner = ?", (key.owner,)
            ).fetchone()
            if count >= most:
                raise Conflict(f"there are {most} API keys already, the most one user may have: delete one")
            connection.execute(
                f"INSERT INTO api_keys ({COLUMNS}) VALUES (?{', ?' * (len(values) - 1)})", values
            )

        await self._database.write(work)

    async def of_owner(self, owner: UserId) -> list[ApiKey]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[ApiKey]:
            # Ids sort by creation time.
            rows = connection.execute(f"SELECT {COLUMNS} FROM api_keys WHERE owner = ? ORDER BY id", (owner,))
            return [_key_of(row) for row in rows]

        return await self._database.read(work)

    async def holder(self, hashed: str) -> tuple[ApiKey, User] | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> tuple[ApiKey, User] | None:
            row = connection.execute(
                f"SELECT {_BOTH} FROM api_keys k JOIN users u ON u.id = k.owner WHERE k.hashed = ?", (hashed,)
            ).fetchone()
            if row is None:
                return None
            return _key_of(row[: len(FIELDS)]), user_of(row[len(FIELDS) :])

        return await self._database.peek(work, ("key", hashed))

    async def used(self, key_id: ApiKeyId, at: float) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, 0) < ?",
                (at, key_id, at),
            )

        await self._database.write(work)

    async def delete(self, key_id: ApiKeyId, owner: UserId) -> bool:
        """See the port."""

        def work(connection: sqlite3.Connection) -> bool:
            deleted = connection.execute("DELETE FROM api_keys WHERE id = ? AND owner = ?", (key_id, owner))
            return deleted.rowcount > 0

        return await self._database.write(work)


def _key_of(row: tuple[Any, ...]) -> ApiKey:
    return msgspec.convert(dict(zip(FIELDS, row, strict=True)), ApiKey)
