"""A job's course over time: few points, whatever the job's size and length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scrapemaster.domain.outcome import Outcome, Verdict

#: A span of a job's time has one point. Spans are a second long at first, and twice as long whenever the job is this many spans old, so
#: that a job of a month has some two thousand points.
SPANS = 256
#: Milliseconds that fit into what stores keep.
_LONGEST = 2**31


@dataclass(slots=True, frozen=True)
class Point:
    """What was committed in one span. `at` is its beginning in seconds since the job's start, `seconds` its length.

    `ok`, `redirected`, `refused`, `broken` count answers by status (2xx, 3xx, 4xx, 5xx), `silent` pages that nobody answered; pages to be
    tried again count each time. `fetch_ms` are the milliseconds of all of them together, `slowest_ms` of the slowest.
    """

    at: int
    seconds: int
    ok: int = 0
    redirected: int = 0
    refused: int = 0
    broken: int = 0
    silent: int = 0
    items: int = 0
    bytes: int = 0
    fetch_ms: int = 0
    slowest_ms: int = 0

    @property
    def pages(self) -> int:
        """Pages that were asked for."""
        return self.ok + self.redirected + self.refused + self.broken + self.silent


def span_of(age: float) -> tuple[int, int]:
    """Beginning and length, in whole seconds, of the span that a job of so many seconds is in."""
    second = max(0, int(age))
    length = 1
    while second >= length * SPANS:
        length *= 2
    return second // length * length, length


def point_of(age: float, outcomes: Iterable[Outcome]) -> Point | None:
    """The point of a commit at a job's age; None when nobody was asked for anything."""
    counts = [0, 0, 0, 0, 0]
    items = size = total = slowest = 0
    for outcome in outcomes:
        if not outcome.fetched:
            continue
        counts[_kind_of(outcome)] += 1
        items += len(outcome.items)
        size += outcome.body_bytes
        elapsed = min(_LONGEST, round(outcome.elapsed * 1_000))
        total += elapsed
        slowest = max(slowest, elapsed)
    if not any(counts):
        return None
    at, seconds = span_of(age)
    ok, redirected, refused, broken, silent = counts
    return Point(at, seconds, ok, redirected, refused, broken, silent, items, size, total, slowest)


def _kind_of(outcome: Outcome) -> int:
    status = outcome.status or (200 if outcome.verdict is Verdict.HANDLED else 0)
    return status // 100 - 2 if 200 <= status < 600 else 4


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most so many points that tell of the same: neighbours are put together, in spans of one length."""
    if not points:
        return []
    end = points[-1].at + points[-1].seconds
    length = max(-(-end // most), *(point.seconds for point in points), 1)
    merged: dict[int, Point] = {}
    for point in points:
        at = point.at // length * length
        before = merged.get(at)
        merged[at] = replace(point, at=at, seconds=length) if before is None else _sum(before, point)
    return list(merged.values())


def _sum(one: Point, two: Point) -> Point:
    return Point(
        one.at,
        one.seconds,
        one.ok + two.ok,
        one.redirected + two.redirected,
        one.refused + two.refused,
        one.broken + two.broken,
        one.silent + two.silent,
        one.items + two.items,
        one.bytes + two.bytes,
        one.fetch_ms + two.fetch_ms,
        max(one.slowest_ms, two.slowest_ms),
    )
