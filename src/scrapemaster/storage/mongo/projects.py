"""Uploaded Scrapy projects in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.spider import CHUNK_BYTES, ProjectVersion
from scrapemaster.storage.mongo.database import Database, Document, Session
from scrapemaster.storage.mongo.keys import bytes_of, pair, text_of

#: Held by whoever changes what is kept.
_TURN = "projects"


class MongoProjects:
    """See `ports.projects.ProjectStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, version: ProjectVersion, data: bytes, *, replace: bool, limit: int) -> None:
        """See the port."""

        async def work(session: Session) -> None:
            projects, chunks = self._database["projects"], self._database["project_chunks"]
            await self._database.hold(session, _TURN)
            there = await self._delete(session, version.project, version.version)
            if there and not replace:
                raise Conflict(f"version {version.version} of {version.project} is there already")
            count = await projects.count_documents({}, session=session)
            if count >= limit:
                raise Conflict(
                    f"{count} versions of projects are kept, and {limit} are allowed: remove some first"
                )
            document = project_document(version, await self._database.number("projects"))
            await projects.insert_one(document, session=session)
            for part, start in enumerate(range(0, len(data), CHUNK_BYTES)):
                chunk = chunk_document(
                    version.project, version.version, part, data[start : start + CHUNK_BYTES]
                )
                await chunks.insert_one(chunk, session=session)

        await self._database.write(_TURN, work)

    async def get(self, project: str, version: str | None = None) -> ProjectVersion | None:
        """See the port."""
        async with self._database.calls():
            found = await self._database["projects"].find_one(_chosen(project, version), sort=[("no", -1)])
        return None if found is None else project_of(found)

    async def find(self, project: str | None = None) -> list[ProjectVersion]:
        """See the port."""
        condition = {} if project is None else _chosen(project, None)
        async with self._database.calls():
            found = self._database["projects"].find(condition, sort=[("no", 1)])
            return [project_of(one) async for one in found]

    async def read(self, project: str, version: str) -> AsyncIterator[bytes]:
        """See the port."""
        part = 0
        while True:
            async with self._database.calls():
                chunk = await self._database["project_chunks"].find_one(
                    {"_id": _chunk_id(project, version, part)}
                )
            if chunk is None:
                return
            yield chunk["b"]
            part += 1

    async def delete(self, project: str, version: str | None = None) -> int:
        """See the port."""

        async def work(session: Session) -> int:
            await self._database.hold(session, _TURN)
            return await self._delete(session, project, version)

        return await self._database.write(_TURN, work)

    async def _delete(self, session: Session, project: str, version: str | None) -> int:
        chosen = _chosen(project, version)
        await self._database["project_chunks"].delete_many(chosen, session=session)
        return (await self._database["projects"].delete_many(chosen, session=session)).deleted_count


def _chosen(project: str, version: str | None) -> Document:
    chosen: Document = {"project": bytes_of(project)}
    return chosen if version is None else {**chosen, "version": bytes_of(version)}


def _chunk_id(project: str, version: str, part: int) -> bytes:
    return pair(project, version) + b"\0" + part.to_bytes(4, "big")


def project_document(version: ProjectVersion, no: int) -> Document:
    """The document of a version, the `no`-th that was uploaded."""
    return {
        "_id": pair(version.project, version.version),
        "no": no,
        "project": bytes_of(version.project),
        "version": bytes_of(version.version),
        "checksum": version.checksum,
        "size": version.size,
        "settings": version.settings,
        "uploaded_at": version.uploaded_at,
        "uploaded_by": bytes_of(version.uploaded_by),
        "folder": bytes_of(version.folder),
        "spiders": [bytes_of(name) for name in version.spiders],
    }


def project_of(document: Document) -> ProjectVersion:
    """The version of a document."""
    return ProjectVersion(
        text_of(document["project"]),
        text_of(document["version"]),
        document["checksum"],
        document["size"],
        document["settings"],
        document["uploaded_at"],
        UserId(text_of(document["uploaded_by"])),
        text_of(document["folder"]),
        [text_of(name) for name in document["spiders"]],
    )


def chunk_document(project: str, version: str, part: int, data: bytes) -> Document:
    """The document of a chunk of an archive."""
    return {
        "_id": _chunk_id(project, version, part),
        "project": bytes_of(project),
        "version": bytes_of(version),
        "part": part,
        "b": data,
    }
