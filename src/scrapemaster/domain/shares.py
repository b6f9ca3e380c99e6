"""How a job's concurrency is shared out among its slices: a pure decision."""

from __future__ import annotations

#: Fetches under way that are worth a slice of their own.
LEAST_SHARE = 8


def slices_of(concurrency: int, workers: int) -> int:
    """How many slices a job has in a fleet of so many workers: one for each worker, but none for fewer than `LEAST_SHARE` fetches."""
    return max(1, min(-(-concurrency // LEAST_SHARE), workers))


def share_of(number: int, concurrency: int, workers: int) -> int:
    """The fetches that slice `number` may have under way; 0 for one that is too many. The shares add up to `concurrency`."""
    slices = slices_of(concurrency, workers)
    if number >= slices:
        return 0
    share, rest = divmod(concurrency, slices)
    return share + (number < rest)
