"""The port to accounts."""

from __future__ import annotations

from typing import Protocol

from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import User


class UserStore(Protocol):
    """Accounts and revoked tokens."""

    async def add(self, user: User) -> None:
        """Store a new account; raises `Conflict` when its `name_key` is taken."""

    async def by_id(self, user_id: UserId) -> User | None:
        """The account with this id, or None."""

    async def by_name(self, name_key: str) -> User | None:
        """The account with this case-folded name, or None."""

    async def count(self) -> int:
        """How many accounts there are."""

    async def update(self, user: User) -> None:
        """Replace the stored account that has the same id; raises `NotFound`."""

    async def revoke_token(self, jti: str, expires_at: float) -> None:
        """Remember a token as revoked until it expires by itself; twice is no error."""

    async def token_revoked(self, jti: str) -> bool:
        """Whether the token was revoked."""
