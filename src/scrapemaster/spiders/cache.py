"""Unpacked projects: a folder for each archive, by its checksum, on the machine of whoever runs its spiders."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from scrapemaster.domain.errors import InvalidInput, NotFound
from scrapemaster.domain.spider import ProjectVersion
from scrapemaster.ports.projects import ProjectStore
from scrapemaster.spiders.archive import unpack

#: Folders kept; of more, the longest unused go.
_KEPT = 32
#: Times an archive is read again that was replaced meanwhile.
_TRIES = 3


class ProjectCache:
    """Unpacks what the store has. Several processes may share the folder, and any of it may be removed while no spider runs.

    `most` is the bytes that a project may have unpacked.
    """

    def __init__(self, projects: ProjectStore, folder: Path, most: int) -> None:
        self._projects = projects
        self._folder = folder
        self._most = most

    async def get(self, project: str, version: str) -> tuple[ProjectVersion, Path]:
        """The version and the folder it is in; raises `NotFound`, and `InvalidInput` for an archive that cannot be unpacked."""
        for _ in range(_TRIES):
            found = await self._projects.get(project, version)
            if found is None:
                break
            folder = self._folder / found.checksum
            if folder.is_dir():
                with contextlib.suppress(OSError):
                    os.utime(folder)
                return found, folder
            data = b"".join([chunk async for chunk in self._projects.read(project, version)])
            if hashlib.sha256(data).hexdigest() == found.checksum:
                await asyncio.to_thread(self.place, found.checksum, data)
                return found, folder
        raise NotFound(
            f"there is no version {version} of the project {project} any more: upload it, or order the job anew"
        )

    def place(self, checksum: str, data: bytes) -> Path:
        """Unpack an archive into its folder, as a whole or not at all; raises `InvalidInput`."""
        folder = self._folder / checksum
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".", dir=self._folder))
        try:
            unpack(data, made, self._most)
            with contextlib.suppress(OSError):  # another process was a moment earlier
                made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        if not folder.is_dir():
            raise InvalidInput(f"the project cannot be unpacked into {folder}", ("file",))
        self._tidy()
        return folder

    def _tidy(self) -> None:
        """Remove the longest unused. A spider that runs from one still has loaded what it needs, or is started anew."""
        with contextlib.suppress(OSError):
            found = sorted(
                (path for path in self._folder.iterdir() if not path.name.startswith(".")),
                key=lambda path: path.stat().st_mtime,
            )
            for path in found[:-_KEPT]:
                shutil.rmtree(path, ignore_errors=True)
