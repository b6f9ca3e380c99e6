"""Uploaded Scrapy projects in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

from scrapemaster.domain.errors import Conflict
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.spider import CHUNK_BYTES, ProjectVersion
from scrapemaster.storage.sqlite.database import Database

COLUMNS = "project, version, checksum, size, settings, uploaded_at, uploaded_by, folder, spiders"


class SqliteProjects:
    """See `ports.projects.ProjectStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, version: ProjectVersion, data: bytes, *, replace: bool, limit: int) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            if _delete(connection, version.project, version.version) and not replace:
                raise Conflict(f"version {version.version} of {version.project} is there already")
            (count,) = connection.execute("SELECT count(*) FROM projects").fetchone()
            if count >= limit:
                raise Conflict(
                    f"{count} versions of projects are kept, and {limit} are allowed: remove some first"
                )
            connection.execute(
                f"INSERT INTO projects ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    version.project,
                    version.version,
                    version.checksum,
                    version.size,
                    version.settings,
                    version.uploaded_at,
                    version.uploaded_by,
                    version.folder,
                    json.dumps(list(version.spiders)),
                ),
            )
            connection.executemany(
                "INSERT INTO project_chunks (project, version, part, data) VALUES (?, ?, ?, ?)",
                (
                    (version.project, version.version, part, data[start : start + CHUNK_BYTES])
                    for part, start in enumerate(range(0, len(data), CHUNK_BYTES))
                ),
            )

        await self._database.write(work)

    async def get(self, project: str, version: str | None = None) -> ProjectVersion | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> ProjectVersion | None:
            row = connection.execute(
                f"SELECT {COLUMNS} FROM projects WHERE project = ?1 AND (?2 IS NULL OR version = ?2) "
                "ORDER BY no DESC LIMIT 1",
                (project, version),
            ).fetchone()
            return None if row is None else project_of(row)

        return await self._database.read(work)

    async def find(self, project: str | None = None) -> list[ProjectVersion]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> list[ProjectVersion]:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM projects WHERE ?1 IS NULL OR project = ?1 ORDER BY no", (project,)
            )
            return [project_of(row) for row in rows]

        return await self._database.read(work)

    async def read(self, project: str, version: str) -> AsyncIterator[bytes]:
        """See the port."""
        part = 0
        while (chunk := await self._chunk(project, version, part)) is not None:
            yield chunk
            part += 1

    async def delete(self, project: str, version: str | None = None) -> int:
        """See the port."""
        return await self._database.write(lambda connection: _delete(connection, project, version))

    async def _chunk(self, project: str, version: str, part: int) -> bytes | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(
                "SELECT data FROM project_chunks WHERE project = ? AND version = ? AND part = ?",
                (project, version, part),
            ).fetchone()
            return None if row is None else bytes(row[0])

        return await self._database.read(work)


def _delete(connection: sqlite3.Connection, project: str, version: str | None) -> int:
    chosen = "WHERE project = ?1 AND (?2 IS NULL OR version = ?2)"
    connection.execute(f"DELETE FROM project_chunks {chosen}", (project, version))
    return connection.execute(f"DELETE FROM projects {chosen}", (project, version)).rowcount


def project_of(row: tuple[Any, ...]) -> ProjectVersion:
    """The version in a row of `COLUMNS`."""
    project, version, checksum, size, settings, uploaded_at, uploaded_by, folder, spiders = row
    by = UserId(uploaded_by)
    return ProjectVersion(
        project, version, checksum, size, settings, uploaded_at, by, folder, json.loads(spiders)
    )
