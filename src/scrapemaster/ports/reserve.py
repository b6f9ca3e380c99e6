"""The port to the space that is kept free where the store is."""

from __future__ import annotations

from typing import Protocol


class Reserve(Protocol):
    """Space on the store's disk, given up when nothing else is left, so that it can still be written down that there is none."""

    def keep(self) -> bool:
        """Put the space aside, unless there is little left; whether it is. Costs nothing where it is already."""

    def give(self) -> None:
        """Give it up."""


class NoReserve:
    """Where the store's disk is not ours; see `Reserve`."""

    def keep(self) -> bool:
        """See the port."""
        return True

    def give(self) -> None:
        """See the port."""
