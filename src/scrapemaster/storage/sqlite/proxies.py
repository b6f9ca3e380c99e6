"""The proxy pool in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any

import msgspec

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import Proxy, Standing, identity_of, masked
from scrapemaster.domain.proxy_health import OF_LATE, Delta, Health, added
from scrapemaster.ports.proxies import HealthKey
from scrapemaster.storage.sqlite.codec import texts
from scrapemaster.storage.sqlite.database import Database

FIELDS = "id url created_at tier tags enabled".split()
COLUMNS = ", ".join(FIELDS)
_SELECT = f"SELECT {COLUMNS} FROM proxies"
_HEALTH = [field.name for field in fields(Health)]
HEALTH_COLUMNS = ", ".join(_HEALTH)
_PUT = (
    f"INSERT OR REPLACE INTO proxy_health (proxy, host, {HEALTH_COLUMNS}) "
    f"VALUES (?, ?, {', '.join('?' * len(_HEALTH))})"
)
#: Seconds after which what is known at a host has no weight: 2⁻¹⁴⁴ of what it had.
_FORGET = 86_400.0
#: Parameters of one statement, of the 32,766 that SQLite takes.
_HOSTS_AT_ONCE = 1_000


class SqliteProxies:
    """See `ports.proxies.ProxyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, proxies: Sequence[Proxy], *, limit: int) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            (count,) = connection.execute("SELECT count(*) FROM proxies").fetchone()
            if count + len(proxies) > limit:
                raise Conflict(f"the pool has {count} proxies, and {limit} are allowed; delete some first")
            for proxy in proxies:
                _refuse_known(connection, proxy)
                connection.execute(
                    f"INSERT INTO proxies ({COLUMNS}, identity) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [*_values(proxy), identity_of(proxy.url)],
                )

        await self._database.write(work)

    async def get(self, proxy_id: ProxyId) -> Proxy | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Proxy | None:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (proxy_id,)).fetchone()
            return None if row is None else proxy_of(row)

        return await self._database.read(work)

    async def all(self) -> list[Proxy]:
        """See the port."""
        return await self._database.read(
            lambda connection: [
                proxy_of(row) for row in connection.execute(f"{_SELECT} ORDER BY created_at, id")
            ]
        )

    async def count(self, tag: str | None = None) -> int:
        """See the port."""
        where, values = "", list[str]()
        if tag is not None:
            where, values = " AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", [tag]
        statement = f"SELECT count(*) FROM proxies WHERE enabled{where}"
        return await self._database.read(
            lambda connection: int(connection.execute(statement, values).fetchone()[0])
        )

    async def update(self, proxy: Proxy) -> bool:
        """See the port."""

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute("SELECT identity FROM proxies WHERE id = ?", (proxy.id,)).fetchone()
            if row is None:
                return False
            identity = identity_of(proxy.url)
            if row[0] != identity:
                _refuse_known(connection, proxy)
                connection.execute("DELETE FROM proxy_health WHERE proxy = ?", (proxy.id,))
            connection.execute(
                "UPDATE proxies SET url = ?, tier = ?, tags = ?, enabled = ?, identity = ? WHERE id = ?",
                (proxy.url, proxy.tier, texts(proxy.tags), proxy.enabled, identity, proxy.id),
            )
            return True

        return await self._database.write(work)

    async def delete(self, proxy_id: ProxyId) -> bool:
        """See the port."""

        def work(connection: sqlite3.Connection) -> bool:
            connection.execute("DELETE FROM proxy_health WHERE proxy = ?", (proxy_id,))
            return bool(connection.execute("DELETE FROM proxies WHERE id = ?", (proxy_id,)).rowcount)

        return await self._database.write(work)

    async def health(self, hosts: Collection[str]) -> Mapping[HealthKey, Health]:
        """See the port."""
        wanted = ["", *sorted({host for host in hosts if host})]

        def work(connection: sqlite3.Connection) -> dict[HealthKey, Health]:
            found: dict[HealthKey, Health] = {}
            for start in range(0, len(wanted), _HOSTS_AT_ONCE):
                part = wanted[start : start + _HOSTS_AT_ONCE]
                rows = connection.execute(
                    f"SELECT proxy, host, {HEALTH_COLUMNS} FROM proxy_health WHERE host IN ({', '.join('?' * len(part))})",
                    part,
                )
                found |= {(ProxyId(row[0]), row[1]): health_of(row[2:]) for row in rows}
            return found

        return await self._database.read(work)

    async def report(self, deltas: Mapping[HealthKey, Delta]) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            known = {row[0] for row in connection.execute("SELECT id FROM proxies")}
            latest = 0.0
            for (proxy, host), delta in deltas.items():
                if proxy not in known:
                    continue
                row = connection.execute(
                    f"SELECT {HEALTH_COLUMNS} FROM proxy_health WHERE host = ? AND proxy = ?", (host, proxy)
                ).fetchone()
                health = added(Health() if row is None else health_of(row), delta)
                connection.execute(_PUT, (proxy, host, *astuple(health)))
                latest = max(latest, delta.at)
            connection.execute("DELETE FROM proxy_health WHERE at < ? AND host <> ''", (latest - _FORGET,))

        if deltas:
            await self._database.write(work)

    async def standings(self, now: float) -> Mapping[ProxyId, Standing]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> dict[ProxyId, Standing]:
            own = {
                row[0]: health_of(row[1:])
                for row in connection.execute(
                    f"SELECT proxy, {HEALTH_COLUMNS} FROM proxy_health WHERE host = ''"
                )
            }
            hosts = {
                row[0]: row[1:]
                for row in connection.execute(
                    "SELECT proxy, count(*), total(banned AND until > ?) FROM proxy_health "
                    "WHERE host <> '' AND at > ? GROUP BY proxy",
                    (now, now - OF_LATE),
                )
            }
            return {
                ProxyId(proxy): Standing(own.get(proxy, Health()), *map(int, hosts.get(proxy, (0, 0))))
                for (proxy,) in connection.execute("SELECT id FROM proxies ORDER BY created_at, id")
            }

        return await self._database.read(work)

    async def rests(self, proxy_id: ProxyId, now: float, *, limit: int = 100) -> Mapping[str, float]:
        """See the port."""
        return await self._database.read(
            lambda connection: dict(
                connection.execute(
                    "SELECT host, until FROM proxy_health WHERE proxy = ? AND host <> '' AND until > ? "
                    "ORDER BY host LIMIT ?",
                    (proxy_id, now, limit),
                ).fetchall()
            )
        )


def _refuse_known(connection: sqlite3.Connection, proxy: Proxy) -> None:
    row = connection.execute("SELECT 1 FROM proxies WHERE identity = ?", (identity_of(proxy.url),)).fetchone()
    if row is not None:
        raise Conflict(f"the proxy {masked(proxy.url)} is in the pool already")


def _values(proxy: Proxy) -> list[Any]:
    return [proxy.id, proxy.url, proxy.created_at, proxy.tier, texts(proxy.tags), proxy.enabled]


def proxy_of(row: tuple[Any, ...]) -> Proxy:
    """The proxy in a row of COLUMNS."""
    values = dict(zip(FIELDS, row, strict=True))
    return msgspec.convert(
        values | {"tags": json.loads(values["tags"]), "enabled": bool(values["enabled"])}, Proxy
    )


def health_of(row: tuple[Any, ...]) -> Health:
    """The health in a row of HEALTH_COLUMNS."""
    values = dict(zip(_HEALTH, row, strict=True))
    return Health(**values | {"banned": bool(values["banned"])})
