"""The port to artefacts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from scrapemaster.domain.ids import ArtefactId, JobId
from scrapemaster.domain.rendering import Artefact

#: Bytes of a chunk at most: what every store can hold in one row or document.
CHUNK_BYTES = 1024 * 1024


class ArtefactStore(Protocol):
    """Pictures and documents made of jobs' pages: files of many chunks, owned by their job and removed with it."""

    async def put(self, artefact: Artefact, data: bytes, *, budget: int) -> bool:
        """Store it, whole or not at all. One that has its id already is replaced, in the same place of the order.

        False, with nothing stored, when the job is gone or all its artefacts together would have more than `budget` bytes.
        """

    async def find(self, job: JobId, *, skip: int = 0, limit: int = 100) -> tuple[list[Artefact], int]:
        """Up to `limit` of a job's artefacts behind the first `skip`, in the order in which they came, and how many there are."""

    async def get(self, artefact: ArtefactId) -> Artefact | None:
        """One of them, whatever job it belongs to; None when there is none, or its job was removed."""

    def read(self, artefact: ArtefactId) -> AsyncIterator[bytes]:
        """Its bytes, in chunks of at most `CHUNK_BYTES`; ends early when it is removed in the meantime."""
