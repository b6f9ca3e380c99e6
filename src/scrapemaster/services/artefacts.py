"""Artefacts: looking at what was made of pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

from scrapemaster.domain.errors import NotFound
from scrapemaster.domain.ids import ArtefactId, JobId, UserId
from scrapemaster.domain.rendering import Artefact
from scrapemaster.ports.store import Store


class ArtefactService:
    """Use cases of artefacts. `sees` is whose jobs the caller may see; None for everybody's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(
        self, job_id: JobId, sees: UserId | None, *, skip: int, limit: int
    ) -> tuple[list[Artefact], int]:
        """One page of a job's artefacts, and how many there are; raises `NotFound`."""
        if await self._store.jobs.get(job_id, sees) is None:
            raise NotFound("Job not found")
        return await self._store.artefacts.find(job_id, skip=skip, limit=limit)

    async def get(self, artefact_id: ArtefactId, sees: UserId | None) -> Artefact:
        """One of them; raises `NotFound`."""
        artefact = await self._store.artefacts.get(artefact_id)
        if artefact is None or await self._store.jobs.get(artefact.job_id, sees) is None:
            raise NotFound("Artefact not found")
        return artefact

    def read(self, artefact: Artefact) -> AsyncIterator[bytes]:
        """Its bytes, in chunks."""
        return self._store.artefacts.read(artefact.id)
