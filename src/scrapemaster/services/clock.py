"""The time that all processes of a service agree on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Self

import structlog

from scrapemaster.domain.errors import StoreError
from scrapemaster.ports.store import Store

log = structlog.get_logger(__name__)

#: Seconds between two looks at the store's clock.
LOOK_EVERY = 10.0
#: A look that took longer (seconds) tells too little.
_LONGEST_LOOK = 1.0
#: A difference to the clock of this machine (seconds) that the operator should hear of.
_SAY_FROM = 5.0


class StoreClock:
    """Call it for epoch seconds by the store's clock. Use as an async context manager.

    Leases, due times and runs of schedules written by one process are judged by others: were each to go by the clock of its own
    machine, one that is an hour ahead would take everybody's work. Between looks it goes by the monotonic clock, which does not jump.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offset = time.time() - time.monotonic()
        self._said = False
        self._keeper: asyncio.Task[None] | None = None

    def __call__(self) -> float:
        """Epoch seconds."""
        return self._offset + time.monotonic()

    async def __aenter__(self) -> Self:
        with contextlib.suppress(StoreError):
            await self.look()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def look(self) -> None:
        """Go by what the store's clock shows now."""
        began = time.monotonic()
        shown = await self._store.now()
        ended = time.monotonic()
        if ended - began > _LONGEST_LOOK:
            return
        self._offset = shown - (began + ended) / 2
        ahead = time.time() - self()
        if abs(ahead) >= _SAY_FROM and not self._said:
            log.warning("clock.differs", seconds_ahead_of_store=round(ahead, 1))
        self._said = abs(ahead) >= _SAY_FROM

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with contextlib.suppress(StoreError):
                await self.look()
