"""Which page a crawler is extracting, where it can be read after the crawler is gone."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Protocol

from scrapemaster.domain.ids import JobId

#: A count of extractions begun (0: none is under way), the request's key, and the job's id.
_ENTRY = struct.Struct("<Qq64s")


class Recorder(Protocol):
    """Told of each extraction in the crawler itself; one at a time."""

    def begin(self, job: JobId, key: int) -> None:
        """The page of this request is worked on now."""

    def end(self) -> None:
        """It is done."""


class NoRecorder:
    """For a crawler that nobody watches."""

    def begin(self, job: JobId, key: int) -> None:
        """See `Recorder`."""

    def end(self) -> None:
        """See `Recorder`."""


class FlightRecorder:
    """A page of memory shared through a file: what a process wrote there stays when it is killed."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_ENTRY.size)
            self._memory = mmap.mmap(file.fileno(), _ENTRY.size)
        self._count = 0

    def begin(self, job: JobId, key: int) -> None:
        """See `Recorder`."""
        self._count += 1
        _ENTRY.pack_into(self._memory, 0, self._count, key, job.encode())

    def end(self) -> None:
        """See `Recorder`."""
        _ENTRY.pack_into(self._memory, 0, 0, 0, b"")

    def under_way(self) -> tuple[int, JobId, int] | None:
        """The extraction that is under way, or was when the crawler ended: its count, job and key."""
        count, key, job = _ENTRY.unpack_from(self._memory)
        return (count, JobId(job.rstrip(b"\0").decode()), key) if count else None

    def close(self) -> None:
        """Let the file go."""
        self._memory.close()
