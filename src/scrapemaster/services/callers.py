"""Who makes a request."""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from scrapemaster.domain.api_key import KEY_MARK, ApiKey, hash_key
from scrapemaster.domain.errors import NotAuthenticated, StoreError
from scrapemaster.domain.ids import ApiKeyId, UserId
from scrapemaster.domain.user import Role, User
from scrapemaster.ports.api_keys import ApiKeyStore
from scrapemaster.ports.users import UserStore
from scrapemaster.services.tokens import Token, Tokens

log = structlog.get_logger(__name__)

#: Seconds between two writes of one key's `last_used_at`.
_NOTE_EVERY = 60.0
#: Keys remembered as noted; above it, those whose time is over are forgotten.
_NOTED_MOST = 10_000
#: Characters; a key of ours has 46.
_LONGEST_KEY = 200


@dataclass(slots=True, frozen=True)
class Caller:
    """Who makes a request: by a token, or by an API key (then `token` is None)."""

    user: User
    token: Token | None = None

    @property
    def sees(self) -> UserId | None:
        """Whose things the caller may see: its own; None for everybody's."""
        return None if self.user.role is Role.ADMIN else self.user.id

    @property
    def is_admin(self) -> bool:
        """Whether the caller may manage users and the service."""
        return self.user.role is Role.ADMIN


class Callers:
    """Finds out who makes a request, by one look into the store."""

    def __init__(self, users: UserStore, keys: ApiKeyStore, tokens: Tokens) -> None:
        self._users = users
        self._keys = keys
        self._tokens = tokens
        self._noted: dict[ApiKeyId, float] = {}

    async def identify(self, credential: str) -> Caller:
        """Who a token or an API key stands for; raises `NotAuthenticated`, the same for whatever is wrong."""
        if credential.startswith(KEY_MARK):
            return await self._by_key(credential)
        token = self._tokens.read(credential)
        user = await self._users.holder(token.user_id, token.jti)
        if user is None or user.disabled or token.epoch != user.token_epoch:
            raise NotAuthenticated
        return Caller(user, token)

    def vouched(self, credential: str) -> bool:
        """Whether a token is ours and lasts, as far as that can be told without the store: it may have been revoked."""
        try:
            self._tokens.read(credential)
        except NotAuthenticated:
            return False
        return True

    async def _by_key(self, text: str) -> Caller:
        found = await self._keys.holder(hash_key(text)) if len(text) <= _LONGEST_KEY else None
        now = time.time()
        if found is None or found[0].expired(now) or found[1].disabled:
            raise NotAuthenticated
        key, user = found
        await self._note(key, now)
        return Caller(user)

    async def _note(self, key: ApiKey, now: float) -> None:
        """Write when the key was used, unless that was written within the last minute."""
        if now - max(key.last_used_at or 0.0, self._noted.get(key.id, 0.0)) < _NOTE_EVERY:
            return
        if len(self._noted) >= _NOTED_MOST:
            self._noted = {id_: at for id_, at in self._noted.items() if now - at < _NOTE_EVERY}
        self._noted[key.id] = now
        try:
            await self._keys.used(key.id, now)
        except StoreError as error:
            # A full disk must not keep anybody from reading.
            log.warning("api_key.not_noted", error=str(error))
