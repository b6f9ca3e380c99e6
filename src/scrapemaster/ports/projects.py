"""The port to uploaded Scrapy projects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from scrapemaster.domain.spider import ProjectVersion


class ProjectStore(Protocol):
    """Versions of Scrapy projects, each with its archive, in the order in which they were uploaded. They belong to everybody."""

    async def put(self, version: ProjectVersion, data: bytes, *, replace: bool, limit: int) -> None:
        """Store a version and its archive, whole or not at all; it is the latest from then on.

        One of the same project and name is replaced if `replace` says so, else `Conflict` is raised; so it is where more than
        `limit` versions would be kept.
        """

    async def get(self, project: str, version: str | None = None) -> ProjectVersion | None:
        """The version, or the project's latest one; None if there is none."""

    async def find(self, project: str | None = None) -> list[ProjectVersion]:
        """All versions of a project (None: of all), the oldest upload first."""

    def read(self, project: str, version: str) -> AsyncIterator[bytes]:
        """The archive, in chunks of at most `CHUNK_BYTES`; nothing when there is none.

        It may be replaced meanwhile: who reads it compares the checksum.
        """

    async def delete(self, project: str, version: str | None = None) -> int:
        """Remove a version, or all of a project; how many they were."""
