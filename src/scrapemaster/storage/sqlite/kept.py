"""What was read, kept until anything in the file changes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

#: Values kept at most: jobs that are asked for again and again, and those who ask. A job takes some 5 KB.
_MOST = 1_024


class Kept:
    """What one connection read, for as long as it is true.

    SQLite counts the changes that others make to the file (`PRAGMA data_version`). One look at that count serves all who were woken before
    it: it is forgotten by a callback of the event loop, which calls them in the order in which they were scheduled. So whoever finds the look
    still there was scheduled before it, and what had happened by then is counted in it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._values: dict[Hashable, Any] = {}
        self._version = 0
        self._looked_in: asyncio.AbstractEventLoop | None = None

    def get(
        self, key: Hashable, work: Callable[[sqlite3.Connection], T], worth: Callable[[T], bool] | None = None
    ) -> T:
        """What `work` reads, which `key` must tell from all else that is ever read. `worth`: whether a value may be kept."""
        loop = asyncio.get_running_loop()
        if self._looked_in is not loop:
            self._look()
            self._looked_in = loop
            loop.call_soon(self._forget_look)
        if key in self._values:
            kept: T = self._values[key]
            return kept
        value = work(self._connection)
        if worth is None or worth(value):
            if len(self._values) >= _MOST:
                self._values.clear()
            self._values[key] = value
        return value

    def _look(self) -> None:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            # Before anything is read: what comes after is at least as new as the count.
            self._values.clear()
            self._version = version

    def _forget_look(self) -> None:
        self._looked_in = None
