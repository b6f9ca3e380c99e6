"""Who may use a store beside whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """An embedded service, which is alone, or a process of a fleet, which is not: its jobs go through one queue and one throttle."""

    EMBEDDED = "embedded"
    FLEET = "fleet"


@dataclass(slots=True, frozen=True)
class Claim:
    """Somebody uses a store. `holder` is a name that nobody else has at the same time, `where` is for people: the machine and the process."""

    kind: Kind
    holder: str
    where: str


@dataclass(slots=True, frozen=True)
class Held:
    """A claim and when it ends unless it is renewed (epoch seconds by the store's clock)."""

    claim: Claim
    ends_at: float


def rival_of(claim: Claim, held: Iterable[Held], now: float) -> Held | None:
    """Of those who use the store, the one beside whom `claim` may not, and who would stay longest; None if it may.

    Who has the claim's own name is the claim's own past, and no rival.
    """
    rivals = [
        one
        for one in held
        if one.ends_at > now
        and one.claim.holder != claim.holder
        and Kind.EMBEDDED in {claim.kind, one.claim.kind}
    ]
    return max(rivals, key=lambda one: one.ends_at, default=None)
