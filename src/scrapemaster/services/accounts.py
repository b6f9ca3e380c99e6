"""Accounts: registering, signing in and out, and the first admin."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from scrapemaster.domain.errors import Conflict, Forbidden, InvalidInput, NotAuthenticated, NotFound
from scrapemaster.domain.ids import new_user_id
from scrapemaster.domain.network import network_of
from scrapemaster.domain.rate_limit import RateLimit
from scrapemaster.domain.user import Role, User
from scrapemaster.ports.users import UserStore
from scrapemaster.services.callers import Caller
from scrapemaster.services.passwords import NOBODY, Passwords
from scrapemaster.services.throttle import LoginThrottle
from scrapemaster.services.tokens import Tokens
from scrapemaster.services.windows import Windows

log = structlog.get_logger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_.-]{3,64}")


@dataclass(slots=True, frozen=True)
class AccountRules:
    """What settings say about accounts. `register_limit` is for one network; None: no limit."""

    registration: bool
    register_limit: RateLimit | None
    admin_username: str
    admin_password: str | None


@dataclass(slots=True, frozen=True)
class Welcome:
    """`registration`: anybody may make an account. `fresh`: there is no account yet but the one made at the first start."""

    registration: bool
    fresh: bool


class AccountService:
    """Use cases of accounts. `address` is where a request comes from."""

    def __init__(
        self,
        users: UserStore,
        rules: AccountRules,
        tokens: Tokens,
        windows: Windows,
        passwords: Passwords | None = None,
    ) -> None:
        self._users = users
        self._rules = rules
        self._tokens = tokens
        self._windows = windows
        self._passwords = passwords or Passwords()
        self._throttle = LoginThrottle(windows, users)

    async def register(self, username: str, password: str, email: str | None, address: str) -> User:
        """Make an account with the role `user`; raises `Forbidden`, `TooMany`, `InvalidInput` or `Conflict`."""
        if not self._rules.registration:
            raise Forbidden("registration is switched off on this server; ask its admin for an account")
        limit = self._rules.register_limit
        if limit is not None:
            spent = await self._windows.hit(f"register/{network_of(address)}", limit)
            spent.check("too many registrations from your address; try again later")
        return await self.add(username, password, Role.USER, email)

    async def add(
        self,
        username: str,
        password: str,
        role: Role,
        email: str | None = None,
        rate_limit: str | None = None,
    ) -> User:
        """Make an account; raises `InvalidInput` or `Conflict`."""
        if _NAME.fullmatch(username) is None:
            raise InvalidInput("username must have 3 to 64 of A-Z a-z 0-9 _ . -", ("username",))
        if await self._users.by_name(username.casefold()) is not None:
            raise Conflict(f"the name {username!r} is taken")
        hashed = await self._passwords.hash(password)
        user = User(new_user_id(), username, hashed, role, time.time(), email, rate_limit=rate_limit)
        await self._users.add(user)
        return user

    async def welcome(self) -> Welcome:
        """What a sign-in page may tell anybody."""
        return Welcome(self._rules.registration, await self._users.count() <= 1)

    async def ensure_admin(self) -> str | None:
        """Make the first admin when there is no user at all; returns its password if that was made up."""
        if await self._users.count():
            return None
        given = self._rules.admin_password
        password = given or secrets.token_urlsafe(15)
        await self.add(self._rules.admin_username, password, Role.ADMIN)
        return None if given else password

    async def login(
        self, username: str, password: str, address: str, *, dashboard: bool = False
    ) -> tuple[str, int]:
        """A token and how many seconds it lasts; `dashboard`: for a session of the dashboard.

        Raises `NotAuthenticated`, in the same words and after the same work whatever is wrong, or `TooMany` after too
        many wrong passwords, whether or not there is such an account.
        """
        valid = _NAME.fullmatch(username) is not None
        name_key = username.casefold() if valid else ""
        user = await self._users.by_name(name_key)
        attempt = await self._throttle.admit(name_key, network_of(address), user)
        matches = await self._passwords.matches(user.password_hash if user else NOBODY, password)
        if user is None or not matches or user.disabled:
            # Not the name: people type passwords into the wrong field.
            log.info("login.failed", user_id=user.id if user else None, address=address)
            raise NotAuthenticated("Incorrect username or password")
        await self._throttle.succeeded(attempt, user)
        if self._passwords.outdated(user.password_hash):
            with contextlib.suppress(Conflict, NotFound, InvalidInput):
                hashed = await self._passwords.hash(password)
                await self._users.change(user.id, if_hash=user.password_hash, password_hash=hashed)
        return self._tokens.make(user, dashboard=dashboard), self._tokens.seconds

    async def change_password(self, caller: Caller, current: str, new: str, address: str) -> None:
        """Set another password and revoke every token of the account; API keys stay.

        Raises `Forbidden` when `current` is wrong, which is counted as a failed login is; `InvalidInput`, `TooMany`, and `Conflict`
        when it was changed at the same moment.
        """
        user = caller.user
        attempt = await self._throttle.admit(user.name_key, network_of(address), user)
        if not await self._passwords.matches(user.password_hash, current):
            log.info("password.wrong", user_id=user.id, address=address)
            raise Forbidden("the current password is wrong")
        await self._throttle.succeeded(attempt, user)
        hashed = await self._passwords.hash(new, "new_password")
        await self._users.change(user.id, if_hash=user.password_hash, revoke=True, password_hash=hashed)
        log.info("password.changed", user_id=user.id)

    async def logout(self, caller: Caller) -> None:
        """Revoke the token the caller came with; raises `Conflict` for an API key."""
        if caller.token is None:
            raise Conflict("an API key is not signed in: delete the key to end its use")
        await self._users.revoke_token(caller.token.jti, caller.token.expires_at)


def signing_key_in(folder: Path) -> str:
    """The key that signs tokens, made at the first call; readable by its owner alone."""
    path = folder / "secret.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii").strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_hex(32)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
