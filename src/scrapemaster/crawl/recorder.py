"""Which page a crawling process is extracting, where it can be read after the process is gone."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple, Protocol

from scrapemaster.domain.ids import JobId

#: A count of extractions begun (0: none is under way), the request's key, and the job's id.
_ENTRY = struct.Struct("<Qq64s")
#: The name of the worker that writes here; empty when it ended in order.
_OWNER = struct.Struct("<64s")
_SIZE = _ENTRY.size + _OWNER.size


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


class Crash(NamedTuple):
    """What a worker that did not end in order left behind: its name, and the job and key of the page it was extracting."""

    worker: str
    page: tuple[JobId, int] | None


class FlightRecorder:
    """A page of memory shared through a file: what a process wrote there stays when it is killed.

    One file for each process, by its path or as the descriptor of an open file.
    """

    def __init__(self, file: Path | int) -> None:
        descriptor = file if isinstance(file, int) else os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _SIZE)
            self._memory = mmap.mmap(descriptor, _SIZE)
        finally:
            if descriptor != file:
                os.close(descriptor)
        self._count = 0

    def begin(self, job: JobId, key: int) -> None:
        """See `Recorder`."""
        self._count += 1
        _ENTRY.pack_into(self._memory, 0, self._count, key, job.encode())

    def end(self) -> None:
        """See `Recorder`."""
        _ENTRY.pack_into(self._memory, 0, 0, 0, b"")

    def under_way(self) -> tuple[int, JobId, int] | None:
        """The extraction that is under way, or was when the process ended: its count, job and key."""
        count, key, job = _ENTRY.unpack_from(self._memory)
        return (count, JobId(job.rstrip(b"\0").decode()), key) if count else None

    def sign_on(self, worker: str) -> None:
        """Take the file over for a worker of this name."""
        self.end()
        _OWNER.pack_into(self._memory, _ENTRY.size, worker.encode())

    def sign_off(self) -> None:
        """Say that the worker ended in order: it left nothing behind."""
        self.sign_on("")

    def crash(self) -> Crash | None:
        """What the worker before left behind; None when it ended in order."""
        (name,) = _OWNER.unpack_from(self._memory, _ENTRY.size)
        page = self.under_way()
        worker = name.rstrip(b"\0").decode()
        return Crash(worker, None if page is None else page[1:]) if worker else None

    def close(self) -> None:
        """Let the file go."""
        self._memory.close()
