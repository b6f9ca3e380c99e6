"""Counting what is done within a time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from limits.aio.storage import MemoryStorage, Storage

from scrapemaster.domain.errors import TooMany
from scrapemaster.domain.rate_limit import RateLimit


@dataclass(slots=True, frozen=True)
class Spent:
    """A limit after something was counted against it. `used` goes beyond `allowed` when more was asked for; `resets_at` is in epoch seconds."""

    allowed: int
    used: int
    resets_at: float

    @property
    def remaining(self) -> int:
        """How many are left in this window."""
        return max(0, self.allowed - self.used)

    @property
    def exceeded(self) -> bool:
        """Whether the one that was counted is too many."""
        return self.used > self.allowed

    def wait(self) -> float:
        """Seconds until the window ends, one at least."""
        return max(1.0, self.resets_at - time.time())

    def check(self, message: str) -> None:
        """Raise `TooMany` if it is exceeded."""
        if self.exceeded:
            raise TooMany(message, self.wait())


class Windows:
    """Counters by key, each in a window that begins with the first count and ends for good after its time.

    `storage` is where they are kept, one of the `limits` library's: this process's memory if none is given. Of the windows that `limits` knows this one alone can be told exactly: one atomic increment answers how many
    were made and when the count starts anew, where a sliding window has only an estimate of what is left and no one moment of
    reset. Its price: twice the limit may pass around a window's end.
    """

    def __init__(self, storage: Storage | None = None) -> None:
        self._storage = storage or MemoryStorage()

    async def hit(self, key: str, limit: RateLimit) -> Spent:
        """Count one more, whether or not it is within the limit."""
        used = await self._storage.incr(key, limit.seconds)
        return Spent(limit.requests, used, await self._storage.get_expiry(key))

    async def refund(self, key: str, limit: RateLimit) -> None:
        """Take one back, unless its window has ended."""
        if await self._storage.get(key) > 0:
            await self._storage.incr(key, limit.seconds, amount=-1)

    async def clear(self, key: str) -> None:
        """Forget the count."""
        await self._storage.clear(key)
