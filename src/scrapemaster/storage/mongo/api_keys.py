"""API keys in MongoDB."""

from __future__ import annotations

import msgspec

from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import ApiKeyId, UserId
from scrapemaster.domain.user import User
from scrapemaster.storage.mongo.codec import user_of
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import bytes_of, shown, text_of

_PLAIN = ("owner", "prefix", "last4", "created_at", "expires_at", "last_used_at")


class MongoApiKeys:
    """See `ports.api_keys.ApiKeyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, *, most: int) -> None:
        """See the port."""

        async def work(session: Session) -> None:
            keys = self._database["api_keys"]
            await self._database.hold(session, f"api_keys/{key.owner}")
            if await keys.count_documents({"owner": key.owner}, session=session) >= most:
                raise Conflict(f"there are {most} API keys already, the most one user may have: delete one")
            await keys.insert_one(key_document(key), session=session)

        await self._database.write(f"api_keys/{key.owner}", work)

    async def of_owner(self, owner: UserId) -> list[ApiKey]:
        """See the port."""
        async with self._database.calls():
            # Ids sort by creation time.
            found = self._database["api_keys"].find({"owner": owner}, sort=[("_id", 1)])
            return [key_of(one) async for one in found]

    async def holder(self, hashed: str) -> tuple[ApiKey, User] | None:
        """See the port."""
        owner = {"from": "users", "localField": "owner_id", "foreignField": "_id", "as": "owners"}
        async with self._database.calls():
            found = await (
                await self._database["api_keys"].aggregate(
                    [
                        {"$match": {"hashed": bytes_of(hashed)}},
                        {"$lookup": owner},
                    ]
                )
            ).to_list()
        return (key_of(found[0]), user_of(found[0]["owners"][0])) if found and found[0]["owners"] else None

    async def used(self, key_id: ApiKeyId, at: float) -> None:
        """See the port."""
        async with self._database.calls():
            await self._database["api_keys"].update_one({"_id": key_id}, {"$max": {"last_used_at": at}})

    async def delete(self, key_id: ApiKeyId, owner: UserId) -> bool:
        """See the port."""
        async with self._database.calls():
            deleted = await self._database["api_keys"].delete_one({"_id": shown(key_id), "owner": owner})
        return deleted.deleted_count > 0


def key_document(key: ApiKey) -> Document:
    """The document of a key. The owner is there a second time as accounts have it for their id."""
    return {
        "_id": key.id,
        **{name: getattr(key, name) for name in _PLAIN},
        "owner_id": bytes_of(key.owner),
        "name": bytes_of(key.name),
        "hashed": bytes_of(key.hashed),
    }


def key_of(document: Document) -> ApiKey:
    """The key of a document."""
    values = {name: document[name] for name in _PLAIN} | {
        "id": document["_id"],
        "name": text_of(document["name"]),
        "hashed": text_of(document["hashed"]),
    }
    return msgspec.convert(values, ApiKey)
