"""How the `auto` engine had one page."""

from __future__ import annotations

from dataclasses import dataclass, field

from scrapemaster.domain.escalation import Lesson, Reason


@dataclass(slots=True)
class Expense:
    """What one way of asking cost: how often it was asked, how many milliseconds that took, and what came."""

    fetches: int = 0
    ms: int = 0
    bytes: int = 0

    def add(self, seconds: float, size: int) -> None:
        """Count one more."""
        self.fetches += 1
        self.ms += round(1_000 * seconds)
        self.bytes += size


@dataclass(slots=True)
class Took:
    """How a page was had: the `engine` that its rows are from, why, what either engine was asked for, and what that taught."""

    engine: str = "http"
    why: Reason = Reason.COMPLETE
    plain: Expense = field(default_factory=Expense)
    rendered: Expense = field(default_factory=Expense)
    lesson: Lesson | None = None

    @property
    def way(self) -> str:
        """Engine and reason, as they are stored with a row."""
        return f"{self.engine}/{self.why}"
