"""Scrapy projects: uploading, listing, removing."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from scrapemaster.domain.errors import Conflict, InvalidInput, NotFound
from scrapemaster.domain.ids import UserId
from scrapemaster.domain.spider import MOST_VERSIONS, ProjectVersion, check_project, check_version
from scrapemaster.ports.projects import ProjectStore
from scrapemaster.spiders.archive import layout_of
from scrapemaster.spiders.cache import ProjectCache

log = structlog.get_logger(__name__)

#: Uploads looked into at once: each takes a process.
_AT_ONCE = 2

#: Lists the spiders of a project in a process of its own: its folder, its settings; the names, and why they cannot be had.
Lister = Callable[[Path, str], Awaitable[tuple[list[str], str | None]]]


@dataclass(slots=True, frozen=True)
class Upload:
    """An archive as an admin sends it. `replace`: a version of that name that is there already goes."""

    project: str
    version: str
    data: bytes
    replace: bool = False


class ProjectService:
    """Use cases of projects. `check` raises a `UserError` where spiders cannot be run."""

    def __init__(
        self,
        projects: ProjectStore,
        cache: ProjectCache,
        lister: Lister,
        check: Callable[[], None],
        most_bytes: int,
    ) -> None:
        self._projects = projects
        self._cache = cache
        self._lister = lister
        self._check = check
        self._most_bytes = most_bytes
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def add(self, upload: Upload, by: UserId) -> ProjectVersion:
        """Look into an archive, load its spiders in a process of their own, and store it.

        Raises `InvalidInput` with what is wrong with it, and `Conflict`.
        """
        self._check()
        check_project(upload.project)
        check_version(upload.version)
        if len(upload.data) > self._most_bytes:
            raise InvalidInput(f"the archive has more than {self._most_bytes:,} bytes", ("file",))
        there = await self._projects.get(upload.project, upload.version)
        if there is not None and not upload.replace:
            raise Conflict(
                f"version {upload.version} of {upload.project} is there already: name another, or remove it first"
            )
        async with self._turns:
            layout = await asyncio.to_thread(layout_of, upload.data)
            checksum = hashlib.sha256(upload.data).hexdigest()
            folder = await asyncio.to_thread(self._cache.place, checksum, upload.data)
            names, error = await self._lister(folder / layout.folder, layout.settings)
        if error is not None:
            raise InvalidInput(f"the project cannot be loaded: {error}", ("file",))
        version = ProjectVersion(
            project=upload.project,
            version=upload.version,
            checksum=checksum,
            size=len(upload.data),
            settings=layout.settings,
            uploaded_at=time.time(),
            uploaded_by=by,
            folder=layout.folder,
            spiders=names,
        )
        await self._projects.put(version, upload.data, replace=upload.replace, limit=MOST_VERSIONS)
        log.info("project.added", project=version.project, version=version.version, spiders=len(names))
        return version

    async def find(self) -> list[list[ProjectVersion]]:
        """All projects by name, each with its versions, the oldest upload first."""
        projects: dict[str, list[ProjectVersion]] = {}
        for version in await self._projects.find():
            projects.setdefault(version.project, []).append(version)
        return [versions for _, versions in sorted(projects.items())]

    async def versions(self, project: str) -> Sequence[ProjectVersion]:
        """A project's versions, the oldest upload first; raises `NotFound`."""
        versions = await self._projects.find(project)
        if not versions:
            raise NotFound("Project not found")
        return versions

    async def get(self, project: str, version: str | None = None) -> ProjectVersion:
        """A version, or the latest; raises `NotFound`."""
        found = await self._projects.get(project, version)
        if found is None:
            raise NotFound("Project not found" if version is None else "Version not found")
        return found

    async def delete(self, project: str, version: str | None = None) -> None:
        """Remove a version, or a project with all of them; raises `NotFound`. Spiders that run go on; jobs that wait for it will fail."""
        if not await self._projects.delete(project, version):
            raise NotFound("Project not found" if version is None else "Version not found")
        log.info("project.removed", project=project, version=version)
