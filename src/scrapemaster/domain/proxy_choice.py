"""Which proxy a request takes, and what its end says of the proxy: pure decisions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scrapemaster.domain.ids import ProxyId
from scrapemaster.domain.proxy import Proxy
from scrapemaster.domain.proxy_health import Health

#: What a proxy on trial weighs beside one in use, and the least that any may weigh.
_TRIAL_WEIGHT = 0.1
_LEAST_WEIGHT = 0.02

#: Reasons of `PageError` that say that the proxy itself does not work.
_OF_THE_PROXY = frozenset({"proxy_error"})
_BANS = frozenset({"blocked", "challenge"})
#: Reasons that may be the proxy's doing or the site's.
_UNCLEAR = frozenset(
    "proxy_refused timeout connection_refused connection_reset connection_failed network_error tls_error bad_response "
    "body_incomplete body_broken empty_body".split()
)


#: Reasons for which neither the proxy nor the site was asked.
UNASKED = frozenset(
    "egress_denied dns_failure dns_timeout robots_denied robots_unreachable bad_request".split()
)


@dataclass(slots=True, frozen=True)
class Candidate:
    """A proxy with its own health, its health at the host, and whether a trial of it is under way in this process."""

    proxy: Proxy
    own: Health
    here: Health
    tried: bool = False

    def usable(self, now: float) -> bool:
        """Whether a request may take it now."""
        if not self.proxy.enabled or self.own.dead or self.own.resting(now) or self.here.resting(now):
            return False
        return not (self.tried and (self.own.on_trial or self.here.on_trial))

    def usable_at(self) -> float | None:
        """When its rests are over; None when it cannot be used until somebody acts or a check goes well."""
        if not self.proxy.enabled or self.own.dead:
            return None
        return max(self.own.until, self.here.until)


def choose(
    candidates: Iterable[Candidate], now: float, chance: float, used: Collection[ProxyId] = ()
) -> Candidate | None:
    """The proxy for a request; None when none may be used now, or in its tier all are `used`, which is no reason to take a dearer one.

    Of the lowest tier that has a usable one; within it by lot, weighted by what is to be expected (success, then speed): a good one comes
    often, a fresh one is tried, one on trial seldom. `chance` is from [0, 1).
    """
    usable = [candidate for candidate in candidates if candidate.usable(now)]
    if not usable:
        return None
    tier = min(candidate.proxy.tier for candidate in usable)
    usable = [one for one in usable if one.proxy.tier == tier and one.proxy.id not in used]
    if not usable:
        return None
    weights = [weight_of(candidate, now) for candidate in usable]
    left = chance * sum(weights)
    for candidate, weight in zip(usable, weights, strict=True):
        left -= weight
        if left < 0:
            return candidate
    return usable[-1]


def weight_of(candidate: Candidate, now: float) -> float:
    """How much a proxy weighs in the lot."""
    here, own = candidate.here, candidate.own
    expected = here.rate(now) ** 2 * own.rate(now) / (0.25 + here.latency(now))
    if own.on_trial or here.on_trial:
        expected *= _TRIAL_WEIGHT
    return max(_LEAST_WEIGHT, expected)


class Blame(StrEnum):
    """What a request's end says of its proxy.

    `none`: it delivered, whatever the site said. `proxy`: it does not work. `ban`: the site turned it away. `unclear`: the next
    proxy will show whose fault it was.
    """

    NONE = "none"
    PROXY = "proxy"
    BAN = "ban"
    UNCLEAR = "unclear"


def blame_of(reason: str, status: int | None) -> Blame:
    """Whose fault an end is, by the reason code and status of its `PageError`."""
    if reason in _OF_THE_PROXY or status == 407:
        return Blame.PROXY
    if reason in _BANS or status == 429:
        return Blame.BAN
    if reason in _UNCLEAR:
        return Blame.UNCLEAR
    if status is not None and reason.startswith("http_") and (status == 403 or status >= 500):
        return Blame.UNCLEAR
    return Blame.NONE


@dataclass(slots=True, frozen=True)
class Shortage:
    """Why no proxy may be used: how many there are, by what keeps them; `until` is when the first is free, None if none will be."""

    total: int
    banned: int
    resting: int
    dead: int
    until: float | None

    def __str__(self) -> str:
        if not self.total:
            return "no proxy of the pool fits the job"
        parts = [
            f"{count} {word}"
            for count, word in (
                (self.banned, "banned there"),
                (self.resting, "resting"),
                (self.dead, "dead or disabled"),
            )
            if count
        ]
        return f"none of the pool's {self.total} proxies can be used: {', '.join(parts) or 'all are being tried'}"


def shortage_of(candidates: Sequence[Candidate], now: float) -> Shortage:
    """Why `choose` found none."""
    times = [at for candidate in candidates if (at := candidate.usable_at()) is not None]
    dead = len(candidates) - len(times)
    banned = sum(
        candidate.usable_at() is not None and candidate.here.resting(now) and candidate.here.banned
        for candidate in candidates
    )
    resting = sum(at > now for at in times) - banned
    return Shortage(len(candidates), banned, resting, dead, min(times, default=None))
