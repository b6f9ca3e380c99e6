"""A set of fingerprints that takes 26 to 51 bytes for each, and gives them back in order."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from struct import unpack

_FIRST_BITS = 10


class MarkTable:
    """128-bit fingerprints, hashed openly with linear probing, in two arrays of 64-bit halves.

    A Python set takes four times as much. The place is given by a fingerprint's first bits, so that the table is nearly sorted, and a run of places is a
    run of an index. An empty place has a head of nought; a fingerprint whose head is nought is taken as if it were one (odds of 2⁻⁶⁴).
    """

    __slots__ = ("_bits", "_count", "_heads", "_tails")

    def __init__(self) -> None:
        self._count = 0
        self._bits = _FIRST_BITS
        self._heads, self._tails = _empty(_FIRST_BITS)

    def __len__(self) -> int:
        return self._count

    @property
    def places(self) -> int:
        """How many places it has, of 16 bytes each."""
        return 1 << self._bits

    def missing(self, marks: Sequence[bytes]) -> list[bytes]:
        """Those that it does not hold, in their order."""
        heads, tails = self._heads, self._tails
        shift, mask = 64 - self._bits, len(heads) - 1
        missing = []
        for mark, (head, tail) in zip(marks, _halves(marks), strict=True):
            at = head >> shift
            while there := heads[at]:
                if there == head and tails[at] == tail:
                    break
                at = at + 1 & mask
            else:
                missing.append(mark)
        return missing

    def add(self, marks: Sequence[bytes]) -> None:
        """Hold these, too."""
        # At five eighths a search that finds nothing looks at four places (Knuth, TAOCP 3, 6.4, linear probing).
        while (self._count + len(marks)) * 8 > self.places * 5:
            self._grow()
        self._count += _put(self._heads, self._tails, 64 - self._bits, _halves(marks))

    def run(self, start: int, stop: int) -> list[bytes]:
        """The fingerprints in the places `start` to `stop`, nearly in order."""
        return [
            head.to_bytes(8) + tail.to_bytes(8)
            for head, tail in zip(self._heads[start:stop], self._tails[start:stop], strict=True)
            if head
        ]

    def _grow(self) -> None:
        old = zip(self._heads, self._tails, strict=True)
        self._bits += 1
        self._heads, self._tails = _empty(self._bits)
        _put(self._heads, self._tails, 64 - self._bits, (pair for pair in old if pair[0]))


def _empty(bits: int) -> tuple[array[int], array[int]]:
    return array("Q", bytes(8 << bits)), array("Q", bytes(8 << bits))


def _halves(marks: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    flat = iter(unpack(f">{2 * len(marks)}Q", b"".join(marks)))
    return ((head or 1, tail) for head, tail in zip(flat, flat, strict=True))


def _put(heads: array[int], tails: array[int], shift: int, pairs: Iterator[tuple[int, int]]) -> int:
    """Put pairs where they belong, and say how many were not there."""
    mask = len(heads) - 1
    added = 0
    for head, tail in pairs:
        at = head >> shift
        while there := heads[at]:
            if there == head and tails[at] == tail:
                break
            at = at + 1 & mask
        else:
            heads[at] = head
            tails[at] = tail
            added += 1
    return added
