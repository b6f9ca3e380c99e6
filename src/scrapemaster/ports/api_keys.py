"""The port to API keys."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.api_key import ApiKey
from scrapemaster.domain.ids import ApiKeyId, UserId
from scrapemaster.domain.user import User


class ApiKeyStore(Protocol):
    """API keys, as hashes. A key goes when its owner's account does."""

    async def add(self, key: ApiKey, *, most: int) -> None:
        """Store a new key; raises `Conflict` when its owner has `most` keys already, also when several are added at once."""

    async def of_owner(self, owner: UserId) -> list[ApiKey]:
        """The owner's keys, oldest first, expired ones too."""

    async def holder(self, hashed: str) -> tuple[ApiKey, User] | None:
        """The key with this hash and its owner, in one look; None if there is none. Expired keys are found too."""

    async def used(self, key_id: ApiKeyId, at: float) -> None:
        """Set `last_used_at`, which never goes back; of a key that is gone: nothing happens."""

    async def delete(self, key_id: ApiKeyId, owner: UserId) -> bool:
        """Remove a key; False when there is none with this id, or it is another's."""
