"""The ports to stores that all is moved out of and into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scrapemaster.domain.ids import JobId
from scrapemaster.domain.moving import Kind

#: Where a reader goes on: something like JSON that the source gave.
Place = Any


@dataclass(slots=True, frozen=True)
class Batch:
    """Some records of one kind, and the place behind them."""

    records: Sequence[Any]
    place: Place


@dataclass(slots=True, frozen=True)
class Progress:
    """How far a move has come: all before `kind` (of `job`) is moved, and of that kind what is before `place`."""

    kind: Kind
    job: JobId | None = None
    place: Place = None
    jobs: Place = None


class MoveSource(Protocol):
    """A store that nothing else writes to while it is read. Reads take bounded memory, whatever there is."""

    @property
    def name(self) -> str:
        """What it is called in messages, and known again by."""
        ...

    async def open(self) -> None:
        """Open it, bring its schema up to date, and end every lease."""

    async def close(self) -> None:
        """Disconnect; twice is no error."""

    async def summary(self) -> str:
        """A short text that is another one after most of the changes that a service makes."""

    def jobs(self, after: Place = None) -> AsyncIterator[tuple[JobId, Place]]:
        """The ids of all jobs behind a place, oldest first, each with the place behind it."""

    def read(self, kind: Kind, job: JobId | None = None, after: Place = None) -> AsyncIterator[Batch]:
        """All records of a kind (of a job) behind a place, in the order that is to be kept."""

    async def count(self, kind: Kind, job: JobId | None = None) -> int | None:
        """How many records `read` must give, known without it; None when nothing says so."""


class MoveTarget(Protocol):
    """A store that nobody else uses, until the move is at its end."""

    async def begin(self, source: str, summary: str) -> Progress | None:
        """Connect and take hold of an empty store; the progress of a move of the same source that was begun before.

        None when there is none; then, and when the source has another summary now, all begins anew. Raises `Conflict` with a sentence when the store holds
        something else.
        """

    async def put(self, progress: Progress, records: Sequence[Any]) -> None:
        """Store the records of one batch, of `progress.kind` and `progress.job`, and the progress: at once or not at all."""

    def read(self, kind: Kind, job: JobId | None = None) -> AsyncIterator[Sequence[Any]]:
        """All records of a kind (of a job) that were put, as the source gave them."""

    async def missing(self, job: JobId, marks: Sequence[bytes]) -> int:
        """How many of these fingerprints the job does not know."""

    async def finish(self) -> None:
        """Give the store free to services."""

    async def close(self) -> None:
        """Disconnect; twice is no error."""
