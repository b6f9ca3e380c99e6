"""Files that are written whole before they are sent."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scrapemaster.domain.errors import StoreUnavailable


class Abandoned(OSError):
    """Nobody wants the file any more."""


class Spool(io.FileIO):
    """A temporary file without a name: it is gone when it is closed, and also when the process is killed."""

    def __init__(self, folder: Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=folder)
        os.unlink(name)  # noqa: PTH108 -- nothing may come between
        super().__init__(descriptor, "rb+")
        self._abandoned = self._told = self._dropped = False

    def abandon(self) -> None:
        """Let the next write raise `Abandoned`, so that whoever writes in another thread stops; the ones after it are dropped."""
        self._abandoned = True

    def drop(self) -> None:
        """Take part in nothing any more, and raise nothing, not even once closed.

        A library's own file object may go later than this one, and writes its ending when it does (`zipfile.ZipFile.__del__`).
        """
        self._dropped = True

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        """See `io.FileIO`."""
        return position if self._dropped else super().seek(position, whence)

    def tell(self) -> int:
        """See `io.FileIO`."""
        return 0 if self._dropped else super().tell()

    def flush(self) -> None:
        """See `io.FileIO`."""
        if not self._dropped:
            super().flush()

    def write(self, data: Any, /) -> int:
        """Write all of it: a raw file may write less than it was given."""
        view = memoryview(data).cast("B")
        size = len(view)
        if self._dropped:
            return size
        if self._abandoned:
            if not self._told:
                self._told = True
                raise Abandoned("the export is not wanted any more")
            return size
        while view:
            view = view[super().write(view) :]
        return size


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the disk's errors into `StoreUnavailable` with a sentence for the operator."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"an export cannot be written to {folder} ({error.strerror or error}): see whether the disk is full"
        ) from error
