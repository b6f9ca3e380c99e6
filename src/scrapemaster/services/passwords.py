"""Passwords: rules, hashing, checking."""

from __future__ import annotations

import asyncio
import base64
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from scrapemaster.domain.errors import InvalidInput

#: Argon2id with 46 MiB, one pass, one lane: the first choice of the OWASP Password Storage Cheat Sheet (2024).
_HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)


def _of_nobody() -> str:
    """A hash with today's parameters that no password has: of random bytes, not computed, as that would hold up every start."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


#: Verified when there is no such user, so that the answer takes as long.
NOBODY = _of_nobody()
#: Hashes computed at once: each takes its memory.
_AT_ONCE = 4
#: Characters of the longest text that is hashed to see whether it is somebody's password.
_LONGEST = 1_024


class Passwords:
    """Hashes and checks, off the event loop, a few at once."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str, field: str = "password") -> str:
        """What is stored of a password; raises `InvalidInput` for `field` when it breaks the rule."""
        if not 8 <= len(password) <= 128:
            raise InvalidInput(f"{field} must have 8 to 128 characters", (field,))
        async with self._places:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def matches(self, hashed: str, password: str) -> bool:
        """Whether this is the password that was hashed."""
        if len(password) > _LONGEST:
            return False
        async with self._places:
            try:
                return await asyncio.to_thread(_HASHER.verify, hashed, password)
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, hashed: str) -> bool:
        """Whether it was hashed with other parameters than today's."""
        return _HASHER.check_needs_rehash(hashed)
