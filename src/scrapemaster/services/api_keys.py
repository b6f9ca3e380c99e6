"""API keys of a user."""

from __future__ import annotations

import time

from scrapemaster.domain.api_key import ApiKey, hash_key, new_key, shown_parts
from scrapemaster.domain.errors import InvalidInput, NotFound
from scrapemaster.domain.ids import ApiKeyId, UserId, new_api_key_id
from scrapemaster.ports.api_keys import ApiKeyStore

#: Keys a user may have, expired ones included.
MOST_KEYS = 50


class ApiKeyService:
    """Use cases of API keys. Each sees the keys of one owner only, an admin's too."""

    def __init__(self, keys: ApiKeyStore) -> None:
        self._keys = keys

    async def create(self, owner: UserId, name: str, expires_at: float | None) -> tuple[ApiKey, str]:
        """A new key, and the text that is never shown again; raises `InvalidInput`, and `Conflict` when there are too many."""
        now = time.time()
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("expires_at must be in the future", ("expires_at",))
        text = new_key()
        key = ApiKey(new_api_key_id(), owner, name, hash_key(text), *shown_parts(text), now, expires_at)
        await self._keys.add(key, most=MOST_KEYS)
        return key, text

    async def find(self, owner: UserId) -> list[ApiKey]:
        """The owner's keys, oldest first."""
        return await self._keys.of_owner(owner)

    async def delete(self, key_id: ApiKeyId, owner: UserId) -> None:
        """The key is not accepted any more; raises `NotFound`."""
        if not await self._keys.delete(key_id, owner):
            raise NotFound("API key not found")
