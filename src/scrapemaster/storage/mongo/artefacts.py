"""Artefacts in MongoDB: files in chunks, with ids that keep a job's together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from scrapemaster.domain.ids import ArtefactId, JobId
from scrapemaster.domain.rendering import Artefact, ArtefactKind
from scrapemaster.ports.artefacts import CHUNK_BYTES
from scrapemaster.storage.mongo.database import Database, Document, Session, undo
from scrapemaster.storage.mongo.keys import bytes_of, prefix_of, row_id, shown, span, text_of


class MongoArtefacts:
    """See `ports.artefacts.ArtefactStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, artefact: Artefact, data: bytes, *, budget: int) -> bool:
        """See the port."""
        prefix = prefix_of(artefact.job_id)
        artefacts, chunks = self._database["artefacts"], self._database["artefact_chunks"]

        async def work(session: Session) -> bool:
            before = await artefacts.find_one({"id": artefact.id}, {"size": 1}, session=session)
            grown = len(data) - (before["size"] if before else 0)
            # The job's own document, so that it cannot be removed meanwhile; it has the sum and the last number.
            job = await self._database["jobs"].find_one_and_update(
                {"_id": shown(artefact.job_id)},
                {"$inc": {"artefacts.bytes": grown, "artefacts.last": int(before is None)}},
                {"artefacts": 1},
                return_document=True,
                session=session,
            )
            if job is None or job["artefacts"]["bytes"] > budget:
                await undo(session)
                return False
            identity = before["_id"] if before else row_id(prefix, job["artefacts"]["last"])
            if before:
                await chunks.delete_many({"_id": _chunks_of(identity)}, session=session)
            document = artefact_document(identity, replace(artefact, size=len(data)))
            await artefacts.replace_one({"_id": identity}, document, upsert=True, session=session)
            for part, start in enumerate(range(0, len(data), CHUNK_BYTES)):
                await chunks.insert_one(
                    {"_id": identity + part.to_bytes(4, "big"), "b": data[start : start + CHUNK_BYTES]},
                    session=session,
                )
            return True

        return await self._database.write(artefact.job_id, work)

    async def find(self, job: JobId, *, skip: int = 0, limit: int = 100) -> tuple[list[Artefact], int]:
        """See the port."""
        condition = {"_id": span(prefix_of(job))}
        artefacts = self._database["artefacts"]
        async with self._database.calls():
            if await self._database["jobs"].find_one({"_id": shown(job)}, {"_id": 1}) is None:
                return [], 0
            total = await artefacts.count_documents(condition)
            found = artefacts.find(condition, sort=[("_id", 1)], skip=skip, limit=limit)
            return [artefact_of(one) async for one in found], total

    async def get(self, artefact: ArtefactId) -> Artefact | None:
        """See the port."""
        found = await self._found(artefact)
        return None if found is None else artefact_of(found)

    async def read(self, artefact: ArtefactId) -> AsyncIterator[bytes]:
        """See the port."""
        part = 0
        while (found := await self._found(artefact)) is not None:
            async with self._database.calls():
                chunk = await self._database["artefact_chunks"].find_one(
                    {"_id": found["_id"] + part.to_bytes(4, "big")}
                )
            if chunk is None:
                return
            yield chunk["b"]
            part += 1

    async def _found(self, artefact: ArtefactId) -> Mapping[str, Any] | None:
        async with self._database.calls():
            found = await self._database["artefacts"].find_one({"id": shown(artefact)})
            if found is None:
                return None
            job = await self._database["jobs"].find_one({"_id": found["job"]}, {"_id": 1})
        return None if job is None else found


def _chunks_of(identity: bytes) -> dict[str, bytes]:
    return {"$gte": identity + bytes(4), "$lte": identity + b"\xff" * 4}


def artefact_document(identity: bytes, artefact: Artefact) -> Document:
    """The document of an artefact, whose id is that of a row."""
    return {
        "_id": identity,
        "id": artefact.id,
        "job": artefact.job_id,
        "url": bytes_of(artefact.url),
        "kind": str(artefact.kind),
        "size": artefact.size,
        "created_at": artefact.created_at,
    }


def artefact_of(document: Mapping[str, Any]) -> Artefact:
    """The artefact of a document."""
    return Artefact(
        ArtefactId(document["id"]),
        JobId(document["job"]),
        text_of(document["url"]),
        ArtefactKind(document["kind"]),
        document["size"],
        document["created_at"],
    )
