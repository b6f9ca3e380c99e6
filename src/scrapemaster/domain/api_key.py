"""Keys that let a program act for a user."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from scrapemaster.domain.ids import ApiKeyId, UserId

#: What every key begins with, so that people and secret scanners know one when they see it.
KEY_MARK = "sm_"
#: Random bytes in a key: 256 bits.
_ENTROPY = 32
#: Characters of a key that are kept to know it by: 24 bits of the 256 at each end.
_SHOWN = 4


@dataclass(slots=True, frozen=True)
class ApiKey:
    """A key as it is kept: never the key itself. Times are epoch seconds.

    `prefix` and `last4` are the key's first characters (`KEY_MARK` included) and its last, for people to
    know it by. `hashed` is what `hash_key` makes of the key. `last_used_at` is right to a minute.
    """

    id: ApiKeyId
    owner: UserId
    name: str
    hashed: str
    prefix: str
    last4: str
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None

    def expired(self, now: float) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


def new_key() -> str:
    """A fresh key, to be shown once."""
    return KEY_MARK + secrets.token_urlsafe(_ENTROPY)


def shown_parts(key: str) -> tuple[str, str]:
    """The prefix and the last characters to know a key by."""
    return key[: len(KEY_MARK) + _SHOWN], key[-_SHOWN:]


def hash_key(key: str) -> str:
    """What is stored of a key, and looked for when it comes back.

    SHA-256, once and without salt: a slow hash protects secrets that can be guessed, and nobody guesses
    256 random bits; a fast one lets each request be checked by one look into an index.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
