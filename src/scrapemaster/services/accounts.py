"""Accounts: registering, signing in and out, and the first admin."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from scrapemaster.domain.errors import Conflict, Forbidden, InvalidInput, NotAuthenticated
from scrapemaster.domain.ids import UserId, new_user_id, uuid7
from scrapemaster.domain.user import Role, User
from scrapemaster.ports.users import UserStore

#: Argon2id with 46 MiB, one pass, one lane: the first choice of the OWASP Password Storage Cheat Sheet (2024).
_HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)
#: Verified when there is no such user, so that the answer takes as long.
_NOBODY = _HASHER.hash(secrets.token_hex(16))
#: Hashes computed at once: each takes its memory.
_AT_ONCE = 4
_NAME = re.compile(r"[A-Za-z0-9_.-]{3,64}")
_ALGORITHM = "HS256"
_ISSUER = "scrapemaster"
_AUDIENCE = "scrapemaster-api"
_CLAIMS = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]
#: A token we make has some 400 characters.
_LONGEST_TOKEN = 4_096


@dataclass(slots=True, frozen=True)
class AccountRules:
    """What settings say about accounts. `token_ttl` is in seconds."""

    signing_key: str
    registration: bool
    token_ttl: int
    admin_username: str
    admin_password: str | None


@dataclass(slots=True, frozen=True)
class Caller:
    """Who makes a request. `jti` and `expires_at` (epoch seconds) identify the token it came with."""

    user: User
    jti: str
    expires_at: float

    @property
    def sees(self) -> UserId | None:
        """Whose things the caller may see: its own; None for everybody's."""
        return None if self.user.role is Role.ADMIN else self.user.id


class AccountService:
    """Use cases of accounts."""

    def __init__(self, users: UserStore, rules: AccountRules) -> None:
        self._users = users
        self._rules = rules
        self._hashing = asyncio.Semaphore(_AT_ONCE)

    async def register(self, username: str, password: str, email: str | None = None) -> User:
        """Make an account with the role `user`; raises `Forbidden`, `InvalidInput` or `Conflict`."""
        if not self._rules.registration:
            raise Forbidden("registration is switched off on this server; ask its admin for an account")
        return await self.add(username, password, Role.USER, email)

    async def add(self, username: str, password: str, role: Role, email: str | None = None) -> User:
        """Make an account; raises `InvalidInput` or `Conflict`."""
        if _NAME.fullmatch(username) is None:
            raise InvalidInput("username must have 3 to 64 of A-Z a-z 0-9 _ . -", ("username",))
        if not 8 <= len(password) <= 128:
            raise InvalidInput("password must have 8 to 128 characters", ("password",))
        if await self._users.by_name(username.casefold()) is not None:
            raise Conflict(f"the name {username!r} is taken")
        user = User(new_user_id(), username, await self._hash(password), role, time.time(), email)
        await self._users.add(user)
        return user

    async def ensure_admin(self) -> str | None:
        """Make the first admin when there is no user at all; returns its password if that was made up."""
        if await self._users.count():
            return None
        given = self._rules.admin_password
        password = given or secrets.token_urlsafe(15)
        await self.add(self._rules.admin_username, password, Role.ADMIN)
        return None if given else password

    async def login(self, username: str, password: str) -> tuple[str, int]:
        """A token and how many seconds it lasts; raises `NotAuthenticated`, in the same time whatever is wrong."""
        user = await self._users.by_name(username.casefold()) if _NAME.fullmatch(username) else None
        matches = len(password) <= 1_024 and await self._verify(
            user.password_hash if user else _NOBODY, password
        )
        if user is None or not matches or user.disabled:
            raise NotAuthenticated("Incorrect username or password")
        if _HASHER.check_needs_rehash(user.password_hash):
            await self._users.update(dataclasses.replace(user, password_hash=await self._hash(password)))
        return self._token(user), self._rules.token_ttl

    async def caller(self, token: str) -> Caller:
        """Who a token stands for; raises `NotAuthenticated`, the same for whatever is wrong."""
        claims = self._claims(token)
        user = await self._users.by_id(UserId(str(claims["sub"])))
        if user is None or user.disabled or claims.get("epoch") != user.token_epoch:
            raise NotAuthenticated
        if await self._users.token_revoked(str(claims["jti"])):
            raise NotAuthenticated
        return Caller(user, str(claims["jti"]), float(claims["exp"]))

    async def logout(self, caller: Caller) -> None:
        """Revoke the token the caller came with."""
        await self._users.revoke_token(caller.jti, caller.expires_at)

    def _token(self, user: User) -> str:
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": user.id,
            "iat": now,
            "nbf": now,
            "exp": now + self._rules.token_ttl,
            "jti": uuid7(),
            "epoch": user.token_epoch,
        }
        return jwt.encode(claims, self._rules.signing_key, _ALGORITHM)

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise NotAuthenticated
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._rules.signing_key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                leeway=5,
                options={"require": _CLAIMS},
            )
        except (jwt.PyJWTError, ValueError):
            raise NotAuthenticated from None
        return claims

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def _verify(self, hashed: str, password: str) -> bool:
        async with self._hashing:
            try:
                return await asyncio.to_thread(_HASHER.verify, hashed, password)
            except (VerificationError, InvalidHashError):
                return False


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
