"""Accounts in MongoDB."""

from __future__ import annotations

import time

from pymongo.errors import DuplicateKeyError

from scrapemaster.domain.errors import Conflict, NotFound
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import User
from scrapemaster.storage.mongo.codec import user_document, user_of
from scrapemaster.storage.mongo.database import Database
from scrapemaster.storage.mongo.keys import bytes_of


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

    async def count(self) -> int:
        """See the port."""
        async with self._database.calls():
            return await self._database["users"].count_documents({})

    async def update(self, user: User) -> None:
        """See the port."""
        document = user_document(user)
        async with self._database.calls():
            changed = await self._database["users"].replace_one({"_id": document["_id"]}, document)
        if changed.matched_count == 0:
            raise NotFound("User not found")

    async def revoke_token(self, jti: str, expires_at: float) -> None:
        """See the port."""
        async with self._database.calls():
            tokens = self._database["revoked_tokens"]
            await tokens.delete_many({"expires_at": {"$lt": time.time()}})
            await tokens.update_one(
                {"_id": bytes_of(jti)}, {"$setOnInsert": {"expires_at": expires_at}}, upsert=True
            )

    async def token_revoked(self, jti: str) -> bool:
        """See the port."""
        async with self._database.calls():
            return await self._database["revoked_tokens"].find_one({"_id": bytes_of(jti)}) is not None

    async def _one(self, field: str, value: str) -> User | None:
        async with self._database.calls():
            document = await self._database["users"].find_one({field: bytes_of(value)})
        return None if document is None else user_of(document)
