"""Who may be fetched from when: one throttle for all jobs of a process."""

from __future__ import annotations

import asyncio
import time
from collections import deque

#: Hosts that are at rest and forgotten beyond this number.
_REMEMBER = 10_000


class HostState:
    """One host: how many fetches are under way, and when the next may begin. Times are monotonic seconds.

    Pure: it is told the time and returns decisions.
    """

    __slots__ = ("busy", "next_at")

    def __init__(self) -> None:
        self.busy = 0
        self.next_at = 0.0

    def try_start(self, now: float, limit: int, delay: float) -> bool:
        """Begin a fetch if there is a place and the time has come."""
        if self.busy >= limit or now < self.next_at:
            return False
        self.busy += 1
        if delay:
            self.next_at = now + delay
        return True

    def finish(self) -> None:
        """End a fetch."""
        self.busy -= 1

    def pause(self, until: float) -> None:
        """Let nothing begin before `until`."""
        self.next_at = max(self.next_at, until)


class _Line(HostState):
    """A host and those who wait for it, first come first served."""

    __slots__ = ("timer", "waiting")

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self.timer: asyncio.TimerHandle | None = None

    def serve(self, limit: int) -> None:
        """Let begin who may; come back when the next one's time has come."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        now = time.monotonic()
        while self.waiting:
            turn, delay = self.waiting[0]
            if turn.done():
                self.waiting.popleft()
            elif self.try_start(now, limit, delay):
                self.waiting.popleft()
                turn.set_result(None)
            else:
                break
        if self.waiting and self.busy < limit:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(0.001, self.next_at - now), self.serve, limit)


class Throttle:
    """Keeps at most `concurrency` fetches under way for each host, and the delays jobs ask for.

    A fetch lets the next one begin no sooner than its own `delay` after it. Waiting is first come, first served.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._lines: dict[str, _Line] = {}

    async def acquire(self, host: str, delay: float = 0.0) -> None:
        """Wait for the host's turn and take it; `release` must follow. Cancelling gives the turn back."""
        line = self._lines.get(host) or self._add(host)
        if not line.waiting and line.try_start(time.monotonic(), self._concurrency, delay):
            return
        turn = asyncio.get_running_loop().create_future()
        line.waiting.append((turn, delay))
        if line.timer is None:
            line.serve(self._concurrency)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(host)
            raise

    def release(self, host: str) -> None:
        """End a fetch that `acquire` let begin."""
        line = self._lines[host]
        line.finish()
        if line.waiting:
            line.serve(self._concurrency)

    def pause(self, host: str, seconds: float) -> None:
        """Let nothing begin at the host for so long: it asked for that."""
        (self._lines.get(host) or self._add(host)).pause(time.monotonic() + seconds)

    def ready_at(self, host: str) -> float:
        """When the host may be asked next, were nobody else waiting; 0.0 if now."""
        line = self._lines.get(host)
        return 0.0 if line is None else line.next_at

    def _add(self, host: str) -> _Line:
        if len(self._lines) >= _REMEMBER:
            now = time.monotonic()
            self._lines = {
                name: line
                for name, line in self._lines.items()
                if line.busy or line.waiting or line.next_at > now
            }
        line = self._lines[host] = _Line()
        return line
