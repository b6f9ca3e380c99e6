"""What the figures of a run say about its data: pure rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Runs with fewer items say nothing about rates.
FEWEST_ITEMS = 10
#: What falls to less than this share of its former figure is reported.
ALARM_SHARE = 0.5
#: Fields named in one warning at most.
_NAMED = 10


@dataclass(slots=True, frozen=True)
class Harvest:
    """What a run brought: its items, and in how many of them each field had a value."""

    items: int
    filled: Mapping[str, int] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        """The share of items in which the field had a value, 0 to 1."""
        return self.filled.get(name, 0) / self.items if self.items else 0.0


def quality_warnings(
    fields: Sequence[str], now: Harvest, before: Harvest | None, *, same_size: bool = True
) -> list[str]:
    """Sentences on fields that were never filled, and on what fell by more than half since the run `before`.

    `same_size`: the run was ordered no smaller than the one before, so that their numbers of items compare.
    """
    warnings = []
    if now.items and (never := [name for name in fields if not now.filled.get(name)]):
        listed = ", ".join(never[:_NAMED])
        more = f" and {len(never) - _NAMED} more" if len(never) > _NAMED else ""
        warnings.append(f"never filled in any of {now.items} items: {listed}{more}")
    if before is None or before.items < FEWEST_ITEMS:
        return warnings
    if same_size and now.items < before.items * ALARM_SHARE:
        warnings.append(f"{now.items} items were found; the previous run found {before.items}")
    if now.items >= FEWEST_ITEMS:
        warnings += [
            f"{name} was filled in {now.rate(name):.1%} of the items; in the previous run in {before.rate(name):.1%}"
            for name in fields
            if now.rate(name) < before.rate(name) * ALARM_SHARE
        ]
    return warnings
