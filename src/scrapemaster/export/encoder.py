"""What all writers have in common. They are plain code without I/O waits: the exporter runs them in threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scrapemaster.domain.item import Result


class Encoder(Protocol):
    """Turns rows into bytes that can be sent at once. Called by one thread at a time, in this order."""

    def begin(self) -> bytes:
        """What stands before all rows."""

    def encode(self, batch: Sequence[Result]) -> bytes:
        """The next rows; never called with none."""

    def end(self) -> bytes:
        """What stands behind all rows."""


class FileEncoder(Protocol):
    """Writes rows to a file that is whole only when it is closed. Called by one thread at a time."""

    def add(self, batch: Sequence[Result]) -> None:
        """Write the next rows; raises `InvalidInput` when the format cannot hold one, `OSError` when the disk cannot."""

    def close(self) -> None:
        """Write what is left; the file can be read after it."""

    def discard(self) -> None:
        """Free what is held for a file that is not wanted any more; called instead of `close`, or after it failed."""
