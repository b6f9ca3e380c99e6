"""The port to accounts."""

from __future__ import annotations

from typing import Any, Protocol

from scrapemaster.domain.ids import UserId
from scrapemaster.domain.user import User


class UserStore(Protocol):
    """Accounts, revoked tokens, and the networks accounts are used from.

    Of those accounts that are not disabled, one at least is an admin, once there was one: a change that
    would leave none is refused with `Conflict`, whatever else happens at the same moment.
    """

    async def add(self, user: User) -> None:
        """Store a new account; raises `Conflict` when its `name_key` is taken."""

    async def by_id(self, user_id: UserId) -> User | None:
        """The account with this id, or None."""

    async def by_name(self, name_key: str) -> User | None:
        """The account with this case-folded name, or None."""

    async def find(self, *, skip: int, limit: int) -> tuple[list[User], int]:
        """One page of all accounts, oldest first, and how many there are in all."""

    async def count(self) -> int:
        """How many accounts there are."""

    async def change(
        self, user_id: UserId, *, if_hash: str | None = None, revoke: bool = False, **fields: Any
    ) -> User:
        """Set fields of an account (`password_hash`, `role`, `email`, `disabled`, `rate_limit`) at once; the account after it.

        `revoke` raises `token_epoch` by one in the same step. `if_hash`: only while the stored password hash
        is this one, else `Conflict`. Raises `NotFound`, and `Conflict` when no enabled admin would be left.
        """

    async def delete(self, user_id: UserId) -> None:
        """Remove an account with its API keys and networks; raises `NotFound`, and `Conflict` when no enabled admin would be left."""

    async def holder(self, user_id: UserId, jti: str) -> User | None:
        """The account a token was made for, in one look; None when there is none or the token was revoked."""

    async def revoke_token(self, jti: str, expires_at: float) -> None:
        """Remember a token as revoked until it expires by itself; twice is no error."""

    async def know_network(self, user_id: UserId, network: str, *, now: float, keep: int) -> None:
        """Remember, or date anew, a network that the account signed in from; of each account the `keep` latest stay."""

    async def network_known(self, user_id: UserId, network: str, *, since: float) -> float | None:
        """When the account last signed in from the network, if that was at or after `since`; None otherwise."""
