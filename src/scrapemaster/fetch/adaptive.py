"""How many requests a host takes at once, found out by asking: more while it answers well, fewer as soon as it does not."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from scrapemaster.domain.errors import PageError
from scrapemaster.ports.throttle import Throttle

#: Requests under way at once to a host that is not known yet.
_START = 4.0
#: The factors by which trouble, and slowness, cut the limit.
_TROUBLE, _SLOW = 0.5, 0.9
#: A response is slow that takes longer than so many times the best, and longer than so many seconds.
_TIMES_BEST, _SLOW_SECONDS = 3.0, 0.5
#: The share of the difference by which the best is forgotten with each response that is worse.
_FORGET = 0.005
#: Seconds between two cuts at least: what was under way when the first was made tells nothing new.
_CUT_EVERY = 1.0
_REMEMBER = 10_000
#: Reasons and statuses by which a server, or the way to it, says that it is too much.
_TROUBLES = frozenset({"timeout", "connection_refused", "connection_reset", "connection_failed"})
_TROUBLE_STATUS = frozenset({429, 500, 502, 503, 504})


class AimdLimit:
    """How many requests a host may have under way: additive increase, multiplicative decrease.

    As TCP does (V. Jacobson, "Congestion Avoidance and Control", SIGCOMM 1988): doubled in each round until the first sign of trouble,
    one more in each round after it, half at each further one, never below 1 and never above `ceiling`. Slowness cuts it by a tenth.
    Pure: it is told the time (monotonic seconds).
    """

    __slots__ = ("_best", "_ceiling", "_cut_at", "_learned", "limit")

    def __init__(self, ceiling: int) -> None:
        self._ceiling = float(ceiling)
        self.limit = min(_START, self._ceiling)
        self._best: float | None = None
        self._cut_at = float("-inf")
        self._learned = False

    def answered(self, now: float, seconds: float | None) -> None:
        """A response came in `seconds`; None where that says nothing of the host."""
        if seconds is not None:
            best = self._best
            if best is None or seconds < best:
                self._best = best = seconds
            elif seconds > max(_SLOW_SECONDS, _TIMES_BEST * best):
                self._best = best + (seconds - best) * _FORGET
                self._cut(now, seconds, _SLOW)
                return
            else:
                self._best = best + (seconds - best) * _FORGET
        step = 1.0 / self.limit if self._learned else 1.0
        self.limit = min(self._ceiling, self.limit + step)

    def troubled(self, now: float, seconds: float) -> None:
        """A request failed after `seconds` in a way that says that it was too much."""
        self._cut(now, seconds, _TROUBLE)

    def _cut(self, now: float, seconds: float, factor: float) -> None:
        """Cut the limit, unless the request began before the last cut."""
        if now - max(seconds, _CUT_EVERY) < self._cut_at:
            return
        self._cut_at = now
        self._learned = True
        self.limit = max(1.0, self.limit * factor)


class _Line:
    __slots__ = ("aimd", "busy", "waiting")

    def __init__(self, ceiling: int) -> None:
        self.aimd = AimdLimit(ceiling)
        self.busy = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def serve(self) -> None:
        """Let begin who may, in the order in which they came."""
        while self.waiting and self.busy < int(self.aimd.limit):
            turn = self.waiting.popleft()
            if not turn.done():
                self.busy += 1
                turn.set_result(None)


class AdaptiveThrottle:
    """A throttle over another one, for the jobs of this process that adapt; see `ports.throttle.Throttle`.

    What the inner throttle lets through at most, delays and pauses hold as ever. `told` what came of requests, it finds each host's limit.
    """

    def __init__(self, inner: Throttle, ceiling: int) -> None:
        self._inner = inner
        self._ceiling = ceiling
        self._lines: dict[str, _Line] = {}

    async def acquire(self, host: str, delay: float = 0.0) -> None:
        """See the port."""
        line = self._lines.get(host) or self._add(host)
        if line.waiting or line.busy >= int(line.aimd.limit):
            turn = asyncio.get_running_loop().create_future()
            line.waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._leave(line)
                raise
        else:
            line.busy += 1
        try:
            await self._inner.acquire(host, delay)
        except BaseException:
            self._leave(line)
            raise

    def release(self, host: str) -> None:
        """See the port."""
        self._inner.release(host)
        self._leave(self._lines[host])

    def pause(self, host: str, seconds: float) -> None:
        """See the port."""
        self._inner.pause(host, seconds)

    def ready_at(self, host: str, delay: float = 0.0) -> float:
        """See the port."""
        return self._inner.ready_at(host, delay)

    def told(
        self, host: str, seconds: float, error: PageError | None = None, *, indirect: bool = False
    ) -> None:
        """What came of a request after `seconds`: a response, or `error`.

        `indirect`: it went over the proxy pool, whose proxies are of different speed and fail by themselves, or was the rendering of a page
        among plain requests, which takes its own time: only what the site itself says counts.
        """
        line = self._lines.get(host)
        if line is None:
            return
        now = time.monotonic()
        if error is not None and (
            error.status in _TROUBLE_STATUS or (error.reason in _TROUBLES and not indirect)
        ):
            line.aimd.troubled(now, seconds)
        elif error is None or error.status is not None:
            line.aimd.answered(now, None if indirect else seconds)

    def limit(self, host: str) -> int:
        """How many requests the host may have under way now."""
        line = self._lines.get(host)
        return int(AimdLimit(self._ceiling).limit if line is None else line.aimd.limit)

    @staticmethod
    def _leave(line: _Line) -> None:
        line.busy -= 1
        if line.waiting:
            line.serve()

    def _add(self, host: str) -> _Line:
        if len(self._lines) >= _REMEMBER:
            self._lines = {name: line for name, line in self._lines.items() if line.busy or line.waiting}
        line = self._lines[host] = _Line(self._ceiling)
        return line


def adapts(throttle: Throttle) -> AdaptiveThrottle | None:
    """The throttle, if it wants to be told what came of requests."""
    return throttle if isinstance(throttle, AdaptiveThrottle) else None
