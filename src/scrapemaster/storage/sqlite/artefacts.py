"""Artefacts in SQLite: files in chunks, with keys that keep a job's together."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

from scrapemaster.domain.ids import ArtefactId, JobId
from scrapemaster.domain.rendering import Artefact, ArtefactKind
from scrapemaster.ports.artefacts import CHUNK_BYTES
from scrapemaster.storage.sqlite.database import Database
from scrapemaster.storage.sqlite.keys import end_key, first_key, job_number

_COLUMNS = "a.id, j.id, a.url, a.kind, a.size, a.created_at"
#: An artefact's key and its job's number stand in one figure; see `keys`.
_JOINED = "artefacts a JOIN jobs j ON j.no = a.key >> 40"


class SqliteArtefacts:
    """See `ports.artefacts.ArtefactStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, artefact: Artefact, data: bytes, *, budget: int) -> bool:
        """See the port."""

        def work(connection: sqlite3.Connection) -> bool:
            number = job_number(connection, artefact.job_id)
            if number is None:
                return False
            span = (first_key(number), end_key(number))
            row = connection.execute(
                "SELECT key, size FROM artefacts WHERE id = ?", (artefact.id,)
            ).fetchone()
            before, last = connection.execute(
                "SELECT coalesce(sum(size), 0), max(key) FROM artefacts WHERE key > ? AND key < ?", span
            ).fetchone()
            if before - (row[1] if row else 0) + len(data) > budget:
                return False
            key = row[0] if row else (last or span[0]) + 1
            connection.execute("DELETE FROM artefact_chunks WHERE artefact = ?", (key,))
            connection.execute(
                "INSERT OR REPLACE INTO artefacts VALUES (?, ?, ?, ?, ?, ?)",
                (key, artefact.id, artefact.url, artefact.kind, len(data), artefact.created_at),
            )
            connection.executemany(
                "INSERT INTO artefact_chunks VALUES (?, ?, ?)",
                (
                    (key, part, data[start : start + CHUNK_BYTES])
                    for part, start in enumerate(range(0, len(data), CHUNK_BYTES))
                ),
            )
            return True

        return await self._database.write(work)

    async def find(self, job: JobId, *, skip: int = 0, limit: int = 100) -> tuple[list[Artefact], int]:
        """See the port."""

        def work(connection: sqlite3.Connection) -> tuple[list[Artefact], int]:
            number = job_number(connection, job)
            if number is None:
                return [], 0
            span = (first_key(number), end_key(number))
            (total,) = connection.execute(
                "SELECT count(*) FROM artefacts WHERE key > ? AND key < ?", span
            ).fetchone()
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM {_JOINED} WHERE a.key > ? AND a.key < ? ORDER BY a.key LIMIT ? OFFSET ?",
                (*span, limit, skip),
            )
            return [_artefact_of(row) for row in rows], int(total)

        return await self._database.read(work)

    async def get(self, artefact: ArtefactId) -> Artefact | None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> Artefact | None:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM {_JOINED} WHERE a.id = ?", (artefact,)
            ).fetchone()
            return None if row is None else _artefact_of(row)

        return await self._database.read(work)

    async def read(self, artefact: ArtefactId) -> AsyncIterator[bytes]:
        """See the port."""
        part = 0
        while (chunk := await self._chunk(artefact, part)) is not None:
            yield chunk
            part += 1

    async def _chunk(self, artefact: ArtefactId, part: int) -> bytes | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(
                f"SELECT c.data FROM {_JOINED} JOIN artefact_chunks c ON c.artefact = a.key WHERE a.id = ? AND c.part = ?",
                (artefact, part),
            ).fetchone()
            return None if row is None else bytes(row[0])

        return await self._database.read(work)


def _artefact_of(row: tuple[Any, ...]) -> Artefact:
    id_, job, url, kind, size, created_at = row
    return Artefact(ArtefactId(id_), JobId(job), url, ArtefactKind(kind), size, created_at)
