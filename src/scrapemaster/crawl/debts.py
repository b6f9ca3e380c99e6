"""Leases that could not be given back while the store was away."""

from __future__ import annotations

import asyncio

import structlog

from scrapemaster.domain.errors import LeaseLost, StoreUnavailable
from scrapemaster.domain.ids import JobId
from scrapemaster.ports.frontier import Frontier

log = structlog.get_logger(__name__)

#: Seconds between two tries.
_AGAIN_AFTER = 0.5


class Debts:
    """Gives leases back as soon as the store answers, so that nobody waits until they end.

    A holder is the name of one slice that is over: whatever it is said to hold, nobody works on.
    """

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._owed: set[tuple[JobId, str]] = set()
        self._payer: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._owed)

    def add(self, job: JobId, holder: str) -> None:
        """Have what `holder` still has of a job given back."""
        self._owed.add((job, holder))
        if self._payer is None or self._payer.done():
            self._payer = asyncio.create_task(self._pay())

    async def close(self) -> None:
        """Stop trying."""
        if self._payer is not None:
            self._payer.cancel()
            await asyncio.gather(self._payer, return_exceptions=True)

    async def _pay(self) -> None:
        while self._owed:
            for job, holder in list(self._owed):
                try:
                    await self._frontier.release(job, holder)
                except StoreUnavailable:
                    break
                except LeaseLost:
                    pass  # the job is over, and its leases with it
                self._owed.discard((job, holder))
            else:
                log.info("leases.given_back")
                continue
            await asyncio.sleep(_AGAIN_AFTER)
