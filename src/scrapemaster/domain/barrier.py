"""What stands between us and a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Barrier:
    """What a page is instead of what was asked for: a reason code, and the mark by which it was recognised."""

    reason: str
    mark: str
