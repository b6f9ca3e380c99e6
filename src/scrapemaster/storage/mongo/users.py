"""Accounts in MongoDB."""

from __future__ import annotations

import time
from typing import Any

from pymongo.errors import DuplicateKeyError

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import Role, User
from scrapemaster.storage.mongo.codec import bytes_or_none, user_document, user_of
from scrapemaster.storage.mongo.database import Database, Document, Session, there
from scrapemaster.storage.mongo.keys import bytes_of, pair

_CHANGES = frozenset({"password_hash", "role", "email", "disabled", "rate_limit"})
#: What is held by a transaction that may take an enabled admin away.
_ADMINS = "admins"


class MongoUsers:
    """See `ports.users.UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User) -> None:
        """See the port."""
        async with self._database.calls():
            try:
                await self._database["users"].insert_one(user_document(user))
            except DuplicateKeyError as error:
                raise Conflict(f"the name {user.username!r} is taken") from error

    async def by_id(self, user_id: UserId) -> User | None:
        """See the port."""
        return await self._one("_id", user_id)

    async def by_name(self, name_key: str) -> User | None:
        """See the port."""
        return await self._one("name_key", name_key)

    async def find(self, *, skip: int, limit: int) -> tuple[list[User], int]:
        """See the port."""
        async with self._database.calls():
            users = self._database["users"]
            total = await users.count_documents({})
            # Ids sort by creation time.
            found = users.find({}, sort=[("_id", 1)], skip=skip, limit=limit) if limit > 0 else None
            return [] if found is None else [user_of(one) async for one in found], total

    async def count(self) -> int:
        """See the port."""
        async with self._database.calls():
            return await self._database["users"].count_documents({})

    async def change(
        self, user_id: UserId, *, if_hash: str | None = None, revoke: bool = False, **fields: Any
    ) -> User:
        """See the port."""
        if unknown := set(fields) - _CHANGES:
            raise TypeError(f"a change cannot set {sorted(unknown)}")
        sets = {name: str(value) if name == "role" else value for name, value in fields.items()}
        if "email" in sets:
            sets["email"] = bytes_or_none(sets["email"])

        async def work(session: Session) -> User:
            before = await self._held(session, user_id)
            if if_hash is not None and before.password_hash != if_hash:
                raise Conflict("the password was changed in the meantime; try again")
            change: Document = {"$inc": {"token_epoch": int(revoke)}}
            if sets:
                change["$set"] = sets
            after = await self._database["users"].find_one_and_update(
                {"_id": bytes_of(user_id)}, change, return_document=True, session=session
            )
            await self._keep_an_admin(session, before)
            return user_of(there(after))

        return await self._database.write(_ADMINS, work)

    async def delete(self, user_id: UserId) -> None:
        """See the port."""

        async def work(session: Session) -> None:
            before = await self._held(session, user_id)
            await self._database["users"].delete_one({"_id": bytes_of(user_id)}, session=session)
            await self._keep_an_admin(session, before)
            for name in ("api_keys", "known_networks"):
                await self._database[name].delete_many({"owner": before.id}, session=session)

        await self._database.write(_ADMINS, work)

    async def holder(self, user_id: UserId, jti: str) -> User | None:
        """See the port."""
        revoked = {
            "from": "revoked_tokens",
            "pipeline": [{"$match": {"_id": bytes_of(jti)}}, {"$limit": 1}],
            "as": "revoked",
        }
        async with self._database.calls():
            found = await (
                await self._database["users"].aggregate(
                    [
                        {"$match": {"_id": bytes_of(user_id)}},
                        {"$lookup": revoked},
                    ]
                )
            ).to_list()
        return user_of(found[0]) if found and not found[0]["revoked"] else None

    async def revoke_token(self, jti: str, expires_at: float) -> None:
        """See the port."""
        async with self._database.calls():
            tokens = self._database["revoked_tokens"]
            await tokens.delete_many({"expires_at": {"$lt": time.time()}})
            await tokens.update_one(
                {"_id": bytes_of(jti)}, {"$setOnInsert": {"expires_at": expires_at}}, upsert=True
            )

    async def know_network(self, user_id: UserId, network: str, *, now: float, keep: int) -> None:
        """See the port."""
        async with self._database.calls():
            networks = self._database["known_networks"]
            await networks.update_one(
                {"_id": pair(user_id, network)},
                {"$max": {"at": now}, "$setOnInsert": {"owner": user_id, "network": network}},
                upsert=True,
            )
            order = [("at", -1), ("network", 1)]
            old = await networks.find({"owner": user_id}, {"_id": 1}, sort=order, skip=keep).to_list()
            if old:
                await networks.delete_many({"_id": {"$in": [one["_id"] for one in old]}})

    async def network_known(self, user_id: UserId, network: str, *, since: float) -> float | None:
        """See the port."""
        async with self._database.calls():
            found = await self._database["known_networks"].find_one(
                {
                    "_id": pair(user_id, network),
                    "at": {"$gte": since},
                }
            )
        return None if found is None else float(found["at"])

    async def _one(self, field: str, value: str) -> User | None:
        async with self._database.calls():
            document = await self._database["users"].find_one({field: bytes_of(value)})
        return None if document is None else user_of(document)

    async def _held(self, session: Session, user_id: UserId) -> User:
        """An account, in a transaction that keeps others from changing any until it ends; raises `NotFound`."""
        await self._database.hold(session, _ADMINS)
        document = await self._database["users"].find_one({"_id": bytes_of(user_id)}, session=session)
        if document is None:
            raise NotFound("User not found")
        return user_of(document)

    async def _keep_an_admin(self, session: Session, before: User) -> None:
        """Undo the transaction, by raising `Conflict`, when it took the last enabled admin away."""
        if before.role is not Role.ADMIN or before.disabled:
            return
        admin = {"role": str(Role.ADMIN), "disabled": False}
        if await self._database["users"].find_one(admin, {"_id": 1}, session=session) is None:
            raise Conflict(f"{before.username!r} is the last enabled admin: make another one first")
