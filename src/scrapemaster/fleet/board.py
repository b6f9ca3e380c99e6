"""Notes that the API processes of a fleet show each other, in Redis."""

from __future__ import annotations

from typing import Self

from scrapemaster.fleet.connection import PREFIX, connect, disconnect, translated

#: Seconds a note lasts.
_LASTS = 600
_PATTERN = f"{PREFIX}:note:*"


class RedisBoard:
    """See `ports.board.Board`. Use as an async context manager."""

    def __init__(self, url: str, process: str) -> None:
        self._url = url
        self._key = f"{PREFIX}:note:{process}"

    async def __aenter__(self) -> Self:
        self._redis = connect(self._url)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await disconnect(self._redis)

    async def put(self, note: bytes) -> None:
        """See the port."""
        with translated():
            await self._redis.set(self._key, note, ex=_LASTS)

    async def others(self) -> list[bytes]:
        """See the port."""
        with translated():
            keys = [key async for key in self._redis.scan_iter(match=_PATTERN, count=1_000)]
            others = sorted(key for key in set(keys) if key != self._key.encode())
            notes = await self._redis.mget(others) if others else []
        return [note.encode() if isinstance(note, str) else note for note in notes if note is not None]
