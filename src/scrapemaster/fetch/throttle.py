"""Who may be fetched from when: one throttle for all jobs of a process."""

from __future__ import annotations

import asyncio
import time
from collections import deque

#: Hosts that are at rest and forgotten beyond this number.
_REMEMBER = 10_000
#: Seconds for which the last delayed fetch of a host is remembered whatever happens: no delay is longer.
_KEEP = 3_600.0


class HostState:
    """One host: how many fetches are under way, and when the next may begin. Times are monotonic seconds.

    Pure: it is told the time and returns decisions. A delay keeps those apart that ask for one; who asks for none is not held up
    by the delays of others, so that no job can slow another one down.
    """

    __slots__ = ("busy", "delayed_at", "paused_until")

    def __init__(self) -> None:
        self.busy = 0
        self.paused_until = 0.0
        self.delayed_at = float("-inf")

    def ready_at(self, delay: float) -> float:
        """When a fetch that asks for `delay` may begin, if there is a place."""
        return max(self.paused_until, self.delayed_at + delay) if delay else self.paused_until

    def try_start(self, now: float, limit: int, delay: float) -> bool:
        """Begin a fetch if there is a place and the time has come."""
        if self.busy >= limit or now < self.ready_at(delay):
            return False
        self.busy += 1
        if delay:
            self.delayed_at = now
        return True

    def finish(self) -> None:
        """End a fetch."""
        self.busy -= 1

    def pause(self, until: float) -> None:
        """Let nothing begin before `until`."""
        self.paused_until = max(self.paused_until, until)


_Turn = tuple[asyncio.Future[None], float]


class _Line(HostState):
    """A host and those who wait for it: with and without a delay, each first come first served."""

    __slots__ = ("delayed", "plain", "timer")

    def __init__(self) -> None:
        super().__init__()
        self.plain: deque[_Turn] = deque()
        self.delayed: deque[_Turn] = deque()
        self.timer: asyncio.TimerHandle | None = None

    def waiting(self, delay: float) -> deque[_Turn]:
        """Those who wait like one who asks for `delay`."""
        return self.delayed if delay else self.plain

    def serve(self, limit: int) -> None:
        """Let begin who may; come back when the next one's time has come."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        now = time.monotonic()
        next_at = float("inf")
        for waiting in (self.delayed, self.plain):
            while waiting:
                turn, delay = waiting[0]
                if turn.done():
                    waiting.popleft()
                elif self.try_start(now, limit, delay):
                    waiting.popleft()
                    turn.set_result(None)
                else:
                    next_at = min(next_at, self.ready_at(delay))
                    break
        if self.busy < limit and next_at < float("inf"):
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(max(0.001, next_at - now), self.serve, limit)


class Throttle:
    """See `ports.throttle.Throttle`: for all jobs of this process, at most `concurrency` fetches under way for each host."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._lines: dict[str, _Line] = {}

    async def acquire(self, host: str, delay: float = 0.0) -> None:
        """Wait for the host's turn and take it; `release` must follow. Cancelling gives the turn back.

        `delay`: seconds that must have passed since the last fetch from this host that asked for a delay.
        """
        line = self._lines.get(host) or self._add(host)
        waiting = line.waiting(delay)
        if not waiting and line.try_start(time.monotonic(), self._concurrency, delay):
            return
        turn = asyncio.get_running_loop().create_future()
        waiting.append((turn, delay))
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
        if line.plain or line.delayed:
            line.serve(self._concurrency)

    def pause(self, host: str, seconds: float) -> None:
        """Let nothing begin at the host for so long: it asked for that."""
        (self._lines.get(host) or self._add(host)).pause(time.monotonic() + seconds)

    def ready_at(self, host: str, delay: float = 0.0) -> float:
        """When one who comes now may expect to be let begin, as far as delays and pauses go; 0.0 if now."""
        line = self._lines.get(host)
        return 0.0 if line is None else max(0.0, line.ready_at(delay) + len(line.delayed) * delay)

    def _add(self, host: str) -> _Line:
        if len(self._lines) >= _REMEMBER:
            now = time.monotonic()
            self._lines = {
                name: line
                for name, line in self._lines.items()
                if line.busy
                or line.plain
                or line.delayed
                or max(line.paused_until, line.delayed_at + _KEEP) > now
            }
        line = self._lines[host] = _Line()
        return line
