"""Accounts in SQLite."""

from __future__ import annotations

import sqlite3
import time

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import User
from scrapemaster.storage.sqlite.codec import USER_COLUMNS, user_of
from scrapemaster.storage.sqlite.database import Database


class SqliteUsers:
    """See `ports.users.UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            try:
                connection.execute(
                    f"INSERT INTO users (name_key, {USER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (user.name_key, *_values(user)),
                )
            except sqlite3.IntegrityError as error:
                raise Conflict(f"the name {user.username!r} is taken") from error

        await self._database.write(work)

    async def by_id(self, user_id: UserId) -> User | None:
        """See the port."""
        return await self._one("id", user_id)

    async def by_name(self, name_key: str) -> User | None:
        """See the port."""
        return await self._one("name_key", name_key)

    async def count(self) -> int:
        """See the port."""
        return await self._database.read(
            lambda connection: int(connection.execute("SELECT count(*) FROM users").fetchone()[0])
        )

    async def update(self, user: User) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE users SET name_key = ?, username = ?, password_hash = ?, role = ?, created_at = ?, "
                "email = ?, disabled = ?, token_epoch = ? WHERE id = ?",
                (user.name_key, *_values(user)[1:], user.id),
            )
            if changed.rowcount == 0:
                raise NotFound("User not found")

        await self._database.write(work)

    async def revoke_token(self, jti: str, expires_at: float) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM revoked_tokens WHERE expires_at < ?", (time.time(),))
            connection.execute("INSERT OR IGNORE INTO revoked_tokens VALUES (?, ?)", (jti, expires_at))

        await self._database.write(work)

    async def token_revoked(self, jti: str) -> bool:
        """See the port."""
        return await self._database.peek(
            lambda connection: (
                connection.execute("SELECT 1 FROM revoked_tokens WHERE jti = ?", (jti,)).fetchone()
                is not None
            )
        )

    async def _one(self, column: str, value: str) -> User | None:
        row = await self._database.peek(
            lambda connection: connection.execute(
                f"SELECT {USER_COLUMNS} FROM users WHERE {column} = ?", (value,)
            ).fetchone()
        )
        return None if row is None else user_of(row)


def _values(user: User) -> tuple[str | float | bool | None, ...]:
    return (
        user.id,
        user.username,
        user.password_hash,
        user.role,
        user.created_at,
        user.email,
        user.disabled,
        user.token_epoch,
    )
