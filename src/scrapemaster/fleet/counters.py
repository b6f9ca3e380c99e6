"""Counters of requests and of wrong passwords that all API processes share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from limits.aio.storage import RedisStorage

from scrapemaster.domain.errors import RedisUnavailable
from scrapemaster.fleet.connection import PREFIX, connect, disconnect, translated

#: Seconds that counting may take: a request waits for it.
_ANSWER = 1.0
#: Seconds for which Redis is not asked after it failed to answer: requests are refused at once then, and not each after a time-out.
_AGAIN_AFTER = 0.5


class RedisCounters(RedisStorage):
    """Storage for `services.windows.Windows`: one atomic script counts. Raises `RedisUnavailable`."""

    # The library finds storages by these names, and is to find its own.
    STORAGE_SCHEME: list[str] = []  # noqa: RUF012 -- as the library has it

    def __init__(self, url: str) -> None:
        self._redis = connect(url)
        self._down_until = 0.0
        pool: Any = self._redis.connection_pool
        # The address is the pool's; this one only says which kind it is.
        super().__init__(
            "async+redis://", implementation="redispy", key_prefix=f"{PREFIX}:count", connection_pool=pool
        )

    async def close(self) -> None:
        """Close the connections."""
        await disconnect(self._redis)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """See the library."""
        async with self._asking():
            return await super().incr(key, expiry, amount)

    async def get(self, key: str) -> int:
        """See the library."""
        async with self._asking():
            return await super().get(key)

    async def get_expiry(self, key: str) -> float:
        """See the library; to the millisecond, where its own is to the second."""
        async with self._asking():
            left = await self._redis.pttl(self.bridge.prefixed_key(key))
        return time.time() + max(0, left) / 1_000

    async def clear(self, key: str) -> None:
        """See the library."""
        async with self._asking():
            await super().clear(key)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        if time.monotonic() < self._down_until:
            raise RedisUnavailable("Redis does not answer: it is asked again in a moment")
        try:
            with translated():
                async with asyncio.timeout(_ANSWER):
                    yield
        except RedisUnavailable:
            self._down_until = time.monotonic() + _AGAIN_AFTER
            raise
