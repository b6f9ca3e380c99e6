"""What a worker says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scrapemaster.domain.outcome import Outcome, Verdict

#: Upper bounds, in seconds, of the classes that commits are counted in; the last class has none.
COMMIT_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class Figures:
    """What a crawling process has done since its start. Only ever grows."""

    handled: int = 0
    failed: int = 0
    skipped: int = 0
    retried: int = 0
    rows: int = 0
    bytes: int = 0
    slices: int = 0
    leases: int = 0
    leases_lost: int = 0
    commit_seconds: float = 0.0
    commits: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_BOUNDS) + 1))

    def committed(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Count a commit that took so long."""
        for outcome in outcomes:
            match outcome.verdict:
                case Verdict.HANDLED:
                    self.handled += 1
                case Verdict.FAILED:
                    self.failed += 1
                case Verdict.SKIPPED:
                    self.skipped += 1
                case Verdict.RETRY:
                    self.retried += 1
            self.rows += len(outcome.items)
            self.bytes += outcome.body_bytes
        self.commit_seconds += seconds
        self.commits[sum(seconds > bound for bound in COMMIT_BOUNDS)] += 1

    def flat(self) -> list[float]:
        """All of it as numbers, in the order of the fields."""
        return [
            self.handled,
            self.failed,
            self.skipped,
            self.retried,
            self.rows,
            self.bytes,
            self.slices,
            self.leases,
            self.leases_lost,
            round(self.commit_seconds, 3),
            *self.commits,
        ]

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Figures:
        """What `flat` gave; zeros for what cannot be that."""
        if len(numbers) != 11 + len(COMMIT_BOUNDS):
            return cls()
        handled, failed, skipped, retried, rows, size, slices, leases, lost = (int(n) for n in numbers[:9])
        commits = [int(number) for number in numbers[10:]]
        return cls(handled, failed, skipped, retried, rows, size, slices, leases, lost, numbers[9], commits)


@dataclass(slots=True, frozen=True)
class WorkerReport:
    """A process that crawls, as it was when it last gave a sign of life.

    `id` is new with each start. `slices` are under way now; `pages_per_second` is the rate of late, over all of them. Times are
    epoch seconds, by the clock of the worker's host.
    """

    id: str
    host: str
    pid: int
    version: str
    started_at: float
    seen_at: float
    slices: int
    pages_per_second: float
    figures: Figures = field(default_factory=Figures)
