"""The port by which the API processes of a fleet show each other their figures."""

from __future__ import annotations

from typing import Protocol


class Board(Protocol):
    """One note for each process. Disposable: a note that is lost is written again with the next change."""

    async def put(self, note: bytes) -> None:
        """Show a note instead of this process's last one; it lasts for ten minutes. Raises `RedisUnavailable`."""

    async def others(self) -> list[bytes]:
        """The notes of all other processes, in any order. Raises `RedisUnavailable`."""
