"""The proxy pool in MongoDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields

from pymongo import ReplaceOne

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import Proxy, Standing, identity_of, masked
from scrapemaster.domain.proxy_health import OF_LATE, Delta, Health, added
from scrapemaster.ports.proxies import HealthKey
from scrapemaster.storage.mongo.database import Database, Document, Session, undo
from scrapemaster.storage.mongo.keys import bytes_of, pair, shown, text_of

_HEALTH = [field.name for field in fields(Health)]
#: Held by whoever changes the pool, and by whoever adds to what is known of it.
_TURN, _HEALTH_TURN = "proxies", "proxies/health"
#: Seconds after which what is known at a host has no weight: 2⁻¹⁴⁴ of what it had.
_FORGET = 86_400.0


class MongoProxies:
    """See `ports.proxies.ProxyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, proxies: Sequence[Proxy], *, limit: int) -> None:
        """See the port."""

        async def work(session: Session) -> None:
            pool = self._database["proxies"]
            await self._database.hold(session, _TURN)
            count = await pool.count_documents({}, session=session)
            if count + len(proxies) > limit:
                raise Conflict(f"the pool has {count} proxies, and {limit} are allowed; delete some first")
            for proxy in proxies:
                await self._refuse_known(session, proxy)
                await pool.insert_one(proxy_document(proxy), session=session)

        await self._database.write(_TURN, work)

    async def get(self, proxy_id: ProxyId) -> Proxy | None:
        """See the port."""
        async with self._database.calls():
            found = await self._database["proxies"].find_one({"_id": shown(proxy_id)})
        return None if found is None else proxy_of(found)

    async def all(self) -> list[Proxy]:
        """See the port."""
        async with self._database.calls():
            found = self._database["proxies"].find(sort=[("created_at", 1), ("_id", 1)])
            return [proxy_of(one) async for one in found]

    async def count(self, tag: str | None = None) -> int:
        """See the port."""
        condition: Document = {"enabled": True} | ({} if tag is None else {"tags": bytes_of(tag)})
        async with self._database.calls():
            return await self._database["proxies"].count_documents(condition)

    async def update(self, proxy: Proxy) -> bool:
        """See the port."""

        async def work(session: Session) -> bool:
            pool = self._database["proxies"]
            await self._database.hold(session, _TURN)
            before = await pool.find_one({"_id": proxy.id}, {"identity": 1}, session=session)
            if before is None:
                await undo(session)
                return False
            document = proxy_document(proxy)
            del document["_id"], document["created_at"]
            if before["identity"] != document["identity"]:
                await self._refuse_known(session, proxy)
                await self._database.hold(session, _HEALTH_TURN)
                await self._database["proxy_health"].delete_many({"proxy": proxy.id}, session=session)
            await pool.update_one({"_id": proxy.id}, {"$set": document}, session=session)
            return True

        return await self._database.write(_TURN, work)

    async def delete(self, proxy_id: ProxyId) -> bool:
        """See the port."""
        identity = shown(proxy_id)

        async def work(session: Session) -> bool:
            # Before the proxy goes, so that none who adds to its health still sees it.
            await self._database.hold(session, _HEALTH_TURN)
            await self._database["proxy_health"].delete_many({"proxy": identity}, session=session)
            deleted = await self._database["proxies"].delete_one({"_id": identity}, session=session)
            return deleted.deleted_count > 0

        return await self._database.write(_TURN, work)

    async def health(self, hosts: Collection[str]) -> Mapping[HealthKey, Health]:
        """See the port."""
        wanted = [bytes_of(host) for host in {"", *hosts}]
        async with self._database.calls():
            found = self._database["proxy_health"].find({"host": {"$in": wanted}})
            return {(ProxyId(one["proxy"]), text_of(one["host"])): health_of(one) async for one in found}

    async def report(self, deltas: Mapping[HealthKey, Delta]) -> None:
        """See the port."""
        if not deltas:
            return
        latest = max(delta.at for delta in deltas.values())
        ids = {key: pair(*key) for key in deltas}

        async def work(session: Session) -> None:
            kept = self._database["proxy_health"]
            await self._database.hold(session, _HEALTH_TURN)
            named = list({shown(proxy) for proxy, _ in deltas})
            pool = self._database["proxies"].find({"_id": {"$in": named}}, {"_id": 1}, session=session)
            known = {one["_id"] async for one in pool}
            found = kept.find({"_id": {"$in": list(ids.values())}}, session=session)
            before = {one["_id"]: health_of(one) async for one in found}
            changes = [
                ReplaceOne(
                    {"_id": ids[key]},
                    health_document(key, added(before.get(ids[key], Health()), delta)),
                    upsert=True,
                )
                for key, delta in deltas.items()
                if key[0] in known
            ]
            if changes:
                await kept.bulk_write(changes, session=session)
            await kept.delete_many({"at": {"$lt": latest - _FORGET}, "host": {"$ne": b""}}, session=session)

        await self._database.write(_HEALTH_TURN, work)

    async def standings(self, now: float) -> Mapping[ProxyId, Standing]:
        """See the port."""
        of_late: list[Document] = [
            {"$match": {"host": {"$ne": b""}, "at": {"$gt": now - OF_LATE}}},
            {
                "$group": {
                    "_id": "$proxy",
                    "hosts": {"$sum": 1},
                    "banned": {"$sum": {"$cond": [{"$and": ["$banned", {"$gt": ["$until", now]}]}, 1, 0]}},
                }
            },
        ]
        async with self._database.calls():
            kept = self._database["proxy_health"]
            own = {one["proxy"]: health_of(one) async for one in kept.find({"host": b""})}
            hosts = {one["_id"]: one async for one in await kept.aggregate(of_late)}
            pool = self._database["proxies"].find({}, {"_id": 1}, sort=[("created_at", 1), ("_id", 1)])
            ids = [one["_id"] async for one in pool]
        return {
            ProxyId(proxy): Standing(
                own.get(proxy, Health()),
                hosts[proxy]["hosts"] if proxy in hosts else 0,
                hosts[proxy]["banned"] if proxy in hosts else 0,
            )
            for proxy in ids
        }

    async def rests(self, proxy_id: ProxyId, now: float, *, limit: int = 100) -> Mapping[str, float]:
        """See the port."""
        condition = {"proxy": shown(proxy_id), "host": {"$ne": b""}, "until": {"$gt": now}}
        async with self._database.calls():
            found = self._database["proxy_health"].find(
                condition, {"host": 1, "until": 1}, sort=[("host", 1)], limit=limit
            )
            return {text_of(one["host"]): one["until"] async for one in found}

    async def _refuse_known(self, session: Session, proxy: Proxy) -> None:
        identity = {"identity": bytes_of(identity_of(proxy.url))}
        if await self._database["proxies"].find_one(identity, {"_id": 1}, session=session) is not None:
            raise Conflict(f"the proxy {masked(proxy.url)} is in the pool already")


def health_document(key: HealthKey, health: Health) -> Document:
    """How a proxy does at a host, as it is kept."""
    return {"_id": pair(*key), "proxy": key[0], "host": bytes_of(key[1]), **asdict(health)}


def proxy_document(proxy: Proxy) -> Document:
    """A proxy as it is kept."""
    return {
        "_id": proxy.id,
        "url": bytes_of(proxy.url),
        "identity": bytes_of(identity_of(proxy.url)),
        "created_at": proxy.created_at,
        "tier": proxy.tier,
        "tags": [bytes_of(tag) for tag in proxy.tags],
        "enabled": proxy.enabled,
    }


def proxy_of(document: Document) -> Proxy:
    """The proxy of a document."""
    return Proxy(
        id=ProxyId(document["_id"]),
        url=text_of(document["url"]),
        created_at=document["created_at"],
        tier=document["tier"],
        tags=[text_of(tag) for tag in document["tags"]],
        enabled=document["enabled"],
    )


def health_of(document: Document) -> Health:
    """The health of a document."""
    return Health(**{name: document[name] for name in _HEALTH})
