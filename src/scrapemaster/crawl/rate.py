"""How fast a job goes."""

from __future__ import annotations

from collections import deque

#: Seconds over which the rate is measured.
_WINDOW = 10.0


class RateMeter:
    """Pages a second over the last ten seconds. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()
        self._total = 0
        self._since: float | None = None

    def add(self, pages: int, now: float) -> None:
        """Note that `pages` were done just now."""
        if self._since is None:
            self._since = now
        self._counts.append((now, pages))
        self._total += pages
        while self._counts and self._counts[0][0] < now - _WINDOW:
            self._total -= self._counts.popleft()[1]

    def rate(self, now: float) -> float:
        """The present rate, to one decimal; 0.0 until half a second has been seen."""
        if self._since is None:
            return 0.0
        span = min(_WINDOW, now - self._since)
        return round(self._total / span, 1) if span >= 0.5 else 0.0

    def restart(self, now: float) -> None:
        """Measure anew from here, after a rest."""
        self._counts.clear()
        self._total = 0
        self._since = now
