"""What an admin does with accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from scrapemaster.domain.errors import NotFound
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.rate_limit import parse_rate_limit
from scrapemaster.domain.user import Role, User
from scrapemaster.ports.users import UserStore
from scrapemaster.services.accounts import AccountService
from scrapemaster.services.passwords import Passwords

log = structlog.get_logger(__name__)

#: Removes all things of one kind that a user owns.
Removal = Callable[[UserId], Awaitable[object]]


class UserService:
    """Use cases of managing accounts. `removals` take away what a user owns when the account is deleted."""

    def __init__(self, users: UserStore, accounts: AccountService, removals: Sequence[Removal]) -> None:
        self._users = users
        self._accounts = accounts
        self._removals = removals
        self._passwords = Passwords()

    async def create(
        self, username: str, password: str, role: Role, email: str | None, rate_limit: str | None
    ) -> User:
        """Make an account; raises `InvalidInput` or `Conflict`."""
        if rate_limit is not None:
            parse_rate_limit(rate_limit)
        return await self._accounts.add(username, password, role, email, rate_limit)

    async def find(self, *, skip: int, limit: int) -> tuple[list[User], int]:
        """One page of all accounts, oldest first, and how many there are."""
        return await self._users.find(skip=skip, limit=limit)

    async def get(self, user_id: UserId) -> User:
        """The account; raises `NotFound`."""
        user = await self._users.by_id(user_id)
        if user is None:
            raise NotFound("User not found")
        return user

    async def named(self, username: str) -> User:
        """The account with this name, in whatever case; raises `NotFound`."""
        user = await self._users.by_name(username.casefold())
        if user is None:
            raise NotFound(f"there is no user {username!r}")
        return user

    async def change(self, user_id: UserId, *, password: str | None = None, **fields: Any) -> User:
        """Set `role`, `disabled`, `email` or `rate_limit`, or another password.

        A new password and disabling revoke every token. Raises `NotFound`, `InvalidInput`, and `Conflict` when no enabled admin would be left.
        """
        await self.get(user_id)
        if fields.get("rate_limit") is not None:
            parse_rate_limit(fields["rate_limit"])
        if password is not None:
            fields["password_hash"] = await self._passwords.hash(password)
        revoke = password is not None or bool(fields.get("disabled"))
        changed = await self._users.change(user_id, revoke=revoke, **fields)
        log.info("user.changed", user_id=user_id, fields=sorted(fields))
        return changed

    async def delete(self, user_id: UserId) -> None:
        """Remove an account and all it owns: jobs with their rows (in the background), API keys.

        It is disabled first, so that nothing is added meanwhile, and goes last: a deletion that was cut short leaves a
        disabled account to delete again. Raises `NotFound`, and `Conflict` for the last enabled admin.
        """
        await self._users.change(user_id, revoke=True, disabled=True)
        for remove in self._removals:
            await remove(user_id)
        await self._users.delete(user_id)
        log.info("user.deleted", user_id=user_id)
