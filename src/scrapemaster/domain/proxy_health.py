"""How well a proxy does, for itself and for each host: decayed figures, and rests that grow.

Pure and told the time (epoch seconds). Figures are sums that halve in `HALF_LIFE`, kept with the time they are of (forward decay:
G. Cormode et al., "Forward Decay", ICDE 2009): sums of several processes are added, in whatever order they come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

#: Seconds in which what is known of a proxy comes to half its weight.
HALF_LIFE = 600.0
#: Seconds of the longest rest.
LONGEST_REST = 3_600.0
#: Seconds of failing to connect, with no success between, after which a proxy is dead.
DEAD_AFTER = 3_600.0
#: Seconds since it was last used for a host after which that counts no longer.
OF_LATE = 3_600.0
#: Seconds of the first rest after no connection could be made.
UNREACHABLE_REST = 10.0
#: A fresh proxy is taken for one that did so many requests, with so much success, in so many seconds each.
_PRIOR, _PRIOR_GOOD, _PRIOR_SECONDS = 2.0, 1.8, 1.0


class Mark(StrEnum):
    """What a request said of its proxy."""

    GOOD = "good"
    BAD = "bad"
    BANNED = "banned"
    UNREACHABLE = "unreachable"


@dataclass(slots=True, frozen=True)
class Strike:
    """Why a proxy is to rest: at `at`, for `wait` seconds the first time; by a ban, or because it did not work."""

    at: float
    wait: float
    banned: bool = False


@dataclass(slots=True, frozen=True)
class Delta:
    """What some requests of one process add to a `Health`: counts, seconds of the good ones, the last times.

    `good_at` is 0 where none was good. `cleared`: a check by hand went well, which ends a rest at once.
    """

    at: float
    good: float = 0.0
    bad: float = 0.0
    seconds: float = 0.0
    good_at: float = 0.0
    strike: Strike | None = None
    cleared: bool = False

    def and_then(self, later: Delta) -> Delta:
        """Both together. Of two strikes the first counts: the second came while the proxy was to rest."""
        both = Delta(self.at, self.good, self.bad, self.seconds)
        sums = added(added(Health(), both), replace(later, strike=None, cleared=False))
        return Delta(
            sums.at,
            sums.good,
            sums.bad,
            sums.seconds,
            max(self.good_at, later.good_at),
            self.strike or later.strike,
            self.cleared or later.cleared,
        )


@dataclass(slots=True, frozen=True)
class Health:
    """How a proxy does, as of `at`. Without a host: of the proxy itself; with one: of the proxy at that host.

    `good`, `bad`, `seconds` are decayed sums. `strikes` are the rests in a row with no success between; `until` is when the
    last one ends, `banned` whether a ban was its reason. `failing_since` is the first strike of the row, 0 without one.
    """

    at: float = 0.0
    good: float = 0.0
    bad: float = 0.0
    seconds: float = 0.0
    good_at: float = 0.0
    strikes: int = 0
    struck_at: float = 0.0
    until: float = 0.0
    banned: bool = False
    failing_since: float = 0.0

    def resting(self, now: float) -> bool:
        """Whether it is to be left alone."""
        return self.until > now

    @property
    def on_trial(self) -> bool:
        """Whether no success has followed its last rest: one request at a time shall try it."""
        return self.strikes > 0

    @property
    def dead(self) -> bool:
        """Whether it failed for so long that only checks may use it. Of the proxy's own health only."""
        return self.failing_since > 0 and self.struck_at - self.failing_since >= DEAD_AFTER

    @property
    def percent(self) -> float:
        """The share of good requests of late; 100 when there was none."""
        total = self.good + self.bad
        return min(100.0, 100.0 * (self.good / total)) if total > 0 else 100.0

    def rate(self, now: float) -> float:
        """The expected share of good requests, 0 to 1: what is known, and where little is known, what a fresh proxy is taken for."""
        weight = _decay(self.at, now)
        return (self.good * weight + _PRIOR_GOOD) / ((self.good + self.bad) * weight + _PRIOR)

    def latency(self, now: float) -> float:
        """The expected seconds of a good request."""
        weight = _decay(self.at, now)
        return (self.seconds * weight + _PRIOR * _PRIOR_SECONDS) / (self.good * weight + _PRIOR)


def added(health: Health, delta: Delta) -> Health:
    """A proxy's health with what a process has to add.

    A success ends a row of strikes when its rest was over by then; a strike during a rest counts no further. Rests double: the
    first of a row lasts the strike's `wait`.
    """
    at = max(health.at, delta.at)
    old, new = _decay(health.at, at), _decay(delta.at, at)
    summed = replace(
        health,
        at=at,
        good=health.good * old + delta.good * new,
        bad=health.bad * old + delta.bad * new,
        seconds=health.seconds * old + delta.seconds * new,
        good_at=max(health.good_at, delta.good_at),
    )
    if delta.cleared or (delta.good_at > 0 and delta.good_at >= health.until):
        summed = replace(summed, strikes=0, until=0.0, banned=False, failing_since=0.0)
    strike = delta.strike
    if strike is None or strike.at < summed.until:
        return summed
    return replace(
        summed,
        strikes=summed.strikes + 1,
        struck_at=strike.at,
        until=strike.at + rest_of(summed.strikes + 1, strike.wait),
        banned=strike.banned,
        failing_since=summed.failing_since or strike.at,
    )


def rest_of(strikes: int, wait: float) -> float:
    """Seconds to rest after so many strikes in a row: `wait`, doubled for each one before, an hour at most."""
    return min(LONGEST_REST, wait * 2.0 ** min(strikes - 1, 32))


def _decay(of: float, at: float) -> float:
    """What a sum of time `of` weighs at `at`; a clock that went back changes nothing."""
    return math.exp2(-max(0.0, at - of) / HALF_LIFE)
