"""Who has what of a job's frontier: the part of a job's document that every change to the frontier rewrites."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scrapemaster.domain.job import Counters
from scrapemaster.storage.mongo.keys import SHIFT

COUNTER_NAMES = tuple(Counters.__dataclass_fields__)
#: The fields of a job's document that `Ledger.of` needs, and what decides on them.
LEDGER_FIELDS = dict.fromkeys(
    ("status", "max_pages", "progress", "counters", "ranks", "holders", "waiting", "known"), 1
)


@dataclass(slots=True)
class Rank:
    """The requests of one priority: numbered 1 to `made`, leased once already up to `taken`."""

    priority: int
    made: int = 0
    taken: int = 0


@dataclass(slots=True)
class Holder:
    """What one holder has leased, until `ends_at`: keys of requests by themselves, and of those that are in `troubled`."""

    name: bytes
    ends_at: float
    plain: set[int] = field(default_factory=set)
    troubled: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Ledger:
    """Who has what of a job's frontier: small enough to be read and written as one.

    A request that was never leased costs no entry, as each rank is taken in order; nor does one that is handled. `waiting` counts the documents of
    `troubled` that may be leased when their time comes, `known` those of `requests`, other names of pages included.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTER_NAMES, 0))
    ranks: list[Rank] = field(default_factory=list)
    holders: list[Holder] = field(default_factory=list)
    waiting: int = 0
    known: int = 0

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Ledger:
        """The ledger in a job's document."""
        return cls(
            dict.fromkeys(COUNTER_NAMES, 0) | document["counters"],
            [Rank(*rank) for rank in document["ranks"]],
            [
                Holder(one["name"], one["ends_at"], set(_unpack(one["plain"])), set(_unpack(one["troubled"])))
                for one in document["holders"]
            ],
            document["waiting"],
            document["known"],
        )

    def document(self) -> dict[str, Any]:
        """The fields of a job's document that hold this; holders without leases are left out."""
        return {
            "counters": self.counts,
            "ranks": [[rank.priority, rank.made, rank.taken] for rank in self.ranks],
            "holders": [
                {
                    "name": one.name,
                    "ends_at": one.ends_at,
                    "plain": _pack(one.plain),
                    "troubled": _pack(one.troubled),
                }
                for one in self.holders
                if one.plain or one.troubled
            ],
            "waiting": self.waiting,
            "known": self.known,
        }

    @property
    def counters(self) -> Counters:
        """The counts as a value."""
        return Counters(**self.counts)

    @property
    def queued(self) -> int:
        """Requests that were never leased."""
        return sum(rank.made - rank.taken for rank in self.ranks)

    def holder(self, name: bytes) -> Holder | None:
        """The holder of this name, if it has anything."""
        return next((one for one in self.holders if one.name == name), None)

    def place(self, priority: int) -> int:
        """The key of one more request of this priority."""
        for slot, rank in enumerate(self.ranks):
            if rank.priority == priority:
                rank.made += 1
                return (slot << SHIFT) + rank.made
        self.ranks.append(Rank(priority, made=1))
        return (len(self.ranks) - 1 << SHIFT) + 1

    def lease(self, count: int, fresh: int) -> None:
        """Count requests as leased, of which `fresh` never asked the server; negative: as put back."""
        self.counts["leased"] += count
        self.counts["queued"] -= count
        self.counts["fresh"] += fresh

    def take(self, limit: int) -> Iterator[tuple[int, int]]:
        """Take up to `limit` requests that were never leased, highest priority first.

        They are the ones with keys greater than the first, up to the second number of each pair.
        """
        for slot, rank in sorted(enumerate(self.ranks), key=lambda pair: -pair[1].priority):
            count = min(limit, rank.made - rank.taken)
            if count > 0:
                first = (slot << SHIFT) + rank.taken
                rank.taken += count
                limit -= count
                yield first, first + count


def _pack(keys: set[int]) -> bytes:
    return struct.pack(f"<{len(keys)}Q", *sorted(keys))


def _unpack(data: bytes) -> Sequence[int]:
    return struct.unpack(f"<{len(data) // 8}Q", data)
