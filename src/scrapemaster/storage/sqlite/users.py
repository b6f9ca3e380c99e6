"""Accounts in SQLite."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import Role, User
from scrapemaster.storage.sqlite.codec import USER_COLUMNS, USER_FIELDS, user_of
from scrapemaster.storage.sqlite.database import Database

_CHANGES = frozenset({"password_hash", "role", "email", "disabled", "rate_limit"})


class SqliteUsers:
    """See `ports.users.UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User) -> None:
        """See the port."""
        values = [getattr(user, field) for field in USER_FIELDS]

        def work(connection: sqlite3.Connection) -> None:
            try:
                connection.execute(
                    f"INSERT INTO users (name_key, {USER_COLUMNS}) VALUES (?{', ?' * len(values)})",
                    [user.name_key, *values],
                )
            except sqlite3.IntegrityError as error:
                raise Conflict(f"the name {user.username!r} is taken") from error

        await self._database.write(work)

    async def by_id(self, user_id: UserId) -> User | None:
        """See the port."""
        return await self._database.read(lambda connection: _one(connection, "id = ?", user_id))

    async def by_name(self, name_key: str) -> User | None:
        """See the port."""
        return await self._database.read(lambda connection: _one(connection, "name_key = ?", name_key))

    async def find(self, *, skip: int, limit: int) -> tuple[list[User], int]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> tuple[list[User], int]:
            # Ids sort by creation time.
            rows = connection.execute(
                f"SELECT {USER_COLUMNS} FROM users ORDER BY id LIMIT ? OFFSET ?", (limit, skip)
            )
            return [user_of(row) for row in rows], _count(connection)

        return await self._database.read(work)

    async def count(self) -> int:
        """See the port."""
        return await self._database.read(_count)

    async def change(
        self, user_id: UserId, *, if_hash: str | None = None, revoke: bool = False, **fields: Any
    ) -> User:
        """See the port."""
        if unknown := set(fields) - _CHANGES:
            raise TypeError(f"a change cannot set {sorted(unknown)}")
        sets = ["token_epoch = token_epoch + ?", *(f"{field} = ?" for field in fields)]

        def work(connection: sqlite3.Connection) -> User:
            before = _one(connection, "id = ?", user_id)
            if before is None:
                raise NotFound("User not found")
            if if_hash is not None and before.password_hash != if_hash:
                raise Conflict("the password was changed in the meantime; try again")
            connection.execute(
                f"UPDATE users SET {', '.join(sets)} WHERE id = ?", [int(revoke), *fields.values(), user_id]
            )
            _keep_an_admin(connection, before)
            after = _one(connection, "id = ?", user_id)
            assert after is not None  # noqa: S101 -- it was updated in this transaction
            return after

        return await self._database.write(work)

    async def delete(self, user_id: UserId) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            before = _one(connection, "id = ?", user_id)
            if before is None:
                raise NotFound("User not found")
            connection.execute("DELETE FROM users WHERE id = ?", (user_id,))
            _keep_an_admin(connection, before)
            connection.execute("DELETE FROM api_keys WHERE owner = ?", (user_id,))
            connection.execute("DELETE FROM known_networks WHERE owner = ?", (user_id,))

        await self._database.write(work)

    async def holder(self, user_id: UserId, jti: str) -> User | None:
        """See the port."""
        condition = "id = ? AND NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = ?)"
        return await self._database.peek(
            lambda connection: _one(connection, condition, user_id, jti), ("token", user_id, jti)
        )

    async def revoke_token(self, jti: str, expires_at: float) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM revoked_tokens WHERE expires_at < ?", (time.time(),))
            connection.execute("INSERT OR IGNORE INTO revoked_tokens VALUES (?, ?)", (jti, expires_at))

        await self._database.write(work)

    async def know_network(self, user_id: UserId, network: str, *, now: float, keep: int) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO known_networks VALUES (?, ?, ?) "
                "ON CONFLICT (owner, network) DO UPDATE SET at = max(at, excluded.at)",
                (user_id, network, now),
            )
            connection.execute(
                "DELETE FROM known_networks WHERE owner = ? AND network NOT IN "
                "(SELECT network FROM known_networks WHERE owner = ? ORDER BY at DESC, network LIMIT ?)",
                (user_id, user_id, keep),
            )

        await self._database.write(work)

    async def network_known(self, user_id: UserId, network: str, *, since: float) -> float | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> float | None:
            row = connection.execute(
                "SELECT at FROM known_networks WHERE owner = ? AND network = ? AND at >= ?",
                (user_id, network, since),
            ).fetchone()
            return None if row is None else float(row[0])

        return await self._database.read(work)


def _one(connection: sqlite3.Connection, condition: str, *values: str) -> User | None:
    row = connection.execute(f"SELECT {USER_COLUMNS} FROM users WHERE {condition}", values).fetchone()
    return None if row is None else user_of(row)


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM users").fetchone()[0])


def _keep_an_admin(connection: sqlite3.Connection, before: User) -> None:
    """Undo the operation, by raising `Conflict`, when it took the last enabled admin away."""
    if before.role is not Role.ADMIN or before.disabled:
        return
    left = connection.execute("SELECT 1 FROM users WHERE role = ? AND disabled = 0 LIMIT 1", (Role.ADMIN,))
    if left.fetchone() is None:
        raise Conflict(f"{before.username!r} is the last enabled admin: make another one first")
