"""How thorough a run of the benchmarks is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`quick`: every section and every peer, at sizes that show only whether they work and roughly where they stand.

    `repeats`: runs of each crawler, of which the median counts. `copies` of the small manual; None: as it suits.
    """

    quick: bool = False
    repeats: int = 3
    copies: int | None = None

    def size(self, quick: int, full: int) -> int:
        """One of two sizes."""
        return quick if self.quick else full
