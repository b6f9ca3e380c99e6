"""One throttle for all workers of a fleet, over Redis.

Places are granted to a worker for two seconds at a time, as many as it needs, and used without asking; so a fast crawl asks a few times a
second, not once a page. A delayed fetch asks for its turn each. Without Redis, grants end and everybody waits: politeness
goes before speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Self

import structlog

from scrapemaster.domain.errors import RedisUnavailable
from scrapemaster.fleet.connection import PREFIX, cancelled, connect, disconnect, translated
from scrapemaster.fleet.scripts import BIRTH, PLACES, TURN

log = structlog.get_logger(__name__)

#: Seconds a grant lasts, and between renewals.
GRANT_SECONDS = 2.0
_RENEW_EVERY = 0.5
#: Seconds between two asks for a host whose places were not enough, and after a fault of Redis.
_ASK_EVERY = 0.05
_AGAIN_AFTER = 0.25
#: Hosts asked about in one round trip.
_AT_ONCE = 200
#: Hosts at rest that are remembered beyond this number only if they are paused or delayed; and for how many seconds a delay can matter.
_REMEMBER = 10_000
_KEEP = 3_600.0
#: What is added to a delay, so that a fetch that begins a little late is not too near to the next: a share, and at least so many seconds.
_SLACK = (0.05, 0.002)
#: How often a turn that came too late is moved, before it is taken late.
_MOVES = 3
_BIRTH = f"{PREFIX}:throttle"


def slack_of(delay: float) -> float:
    """Seconds that a delayed fetch may begin late."""
    return max(_SLACK[0] * delay, _SLACK[1])


class _Host:
    """What a worker knows of a host; times are monotonic seconds."""

    __slots__ = (
        "asked_at",
        "busy",
        "delayed",
        "delayed_at",
        "granted",
        "in_turn",
        "own_at",
        "paused_until",
        "peak",
        "timer",
        "valid_until",
        "waiting",
    )

    def __init__(self) -> None:
        self.busy = 0
        self.granted = 0
        self.valid_until = 0.0
        self.asked_at = float("-inf")
        self.peak = 0
        self.paused_until = 0.0
        self.delayed_at = float("-inf")  # of the last delayed fetch, whosever, as far as known
        self.own_at = float("-inf")  # of this worker's last one
        self.delayed = 0
        self.in_turn = asyncio.Lock()
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.timer: asyncio.TimerHandle | None = None

    def free(self, now: float) -> bool:
        """Whether a fetch may begin now."""
        return self.busy < self.granted and self.paused_until <= now < self.valid_until

    def serve(self) -> None:
        """Let begin who may; come back when a pause ends."""
        now = time.monotonic()
        while self.waiting:
            if self.waiting[0].done():
                self.waiting.popleft()
            elif self.free(now):
                self.busy += 1
                self.waiting.popleft().set_result(None)
            else:
                break
        if self.waiting and self.paused_until > now and self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(self.paused_until - now + 0.001, self._resume)

    def _resume(self) -> None:
        self.timer = None
        self.serve()

    def may_ask(self, now: float) -> bool:
        """Whether places are short, and more may have become free."""
        return self.peak > self.granted and (self.granted == 0 or now - self.asked_at > _RENEW_EVERY / 2)

    def wanted(self) -> int:
        """Places needed now, and in between since the last time this was asked."""
        now = self.busy + len(self.waiting)
        peak, self.peak = max(self.peak, now), now
        return peak

    def at_rest(self, now: float) -> bool:
        """Whether nothing is lost by forgetting the host."""
        idle = not (self.busy or self.waiting or self.granted or self.delayed)
        return idle and max(self.paused_until, self.delayed_at + _KEEP) <= now


class FleetThrottle:
    """See `ports.throttle.Throttle`; `concurrency` fetches for each host over the whole fleet. Use as an async context manager."""

    def __init__(self, url: str, worker: str, concurrency: int) -> None:
        self._url = url
        self._worker = worker
        self._concurrency = concurrency
        self._hosts: dict[str, _Host] = {}
        self._active: set[str] = set()
        self._needy: set[str] = set()
        self._asked = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._redis = connect(self._url)
        self._places = self._redis.register_script(PLACES)
        self._turn = self._redis.register_script(TURN)
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._keeper is not None:
            await cancelled([self._keeper])
        await disconnect(self._redis)

    async def acquire(self, host: str, delay: float = 0.0) -> None:
        """See the port."""
        known = self._hosts.get(host) or self._add(host)
        if not delay:
            await self._place(host, known)
            return
        known.delayed += 1
        try:
            async with known.in_turn:
                await self._delayed(host, known, delay)
        finally:
            known.delayed -= 1

    def release(self, host: str) -> None:
        """See the port."""
        known = self._hosts[host]
        known.busy -= 1
        if known.waiting:
            known.serve()

    def pause(self, host: str, seconds: float) -> None:
        """See the port."""
        known = self._hosts.get(host) or self._add(host)
        known.paused_until = max(known.paused_until, time.monotonic() + seconds)
        self._ask(host)

    def ready_at(self, host: str, delay: float = 0.0) -> float:
        """See the port."""
        known = self._hosts.get(host)
        if known is None:
            return 0.0
        if not delay:
            # Who comes now stands in line for places that other workers may have: something else can be done meanwhile.
            crowded = time.monotonic() + _ASK_EVERY if known.waiting else 0.0
            return max(known.paused_until, crowded)
        return max(0.0, known.paused_until, known.delayed_at + delay * (1 + known.delayed))

    async def _delayed(self, host: str, known: _Host, delay: float) -> None:
        """Wait until the delay has passed for the whole fleet, then take a place and the turn together."""
        late = 0
        while True:
            await self._place(host, known)
            try:
                began = time.monotonic()
                wait = await self._ask_turn(host, known, delay, again=late > 0)
            except BaseException:
                self.release(host)
                raise
            now = time.monotonic()
            if wait is None:
                known.own_at = known.delayed_at = now
                if now - began <= slack_of(delay) or late >= _MOVES:
                    return
                # The turn may have been given long ago: have it moved to now.
                late += 1
                wait = 0.0
            else:
                late = 0
                known.delayed_at = max(known.delayed_at, now + wait - delay)
            self.release(host)
            if wait:
                await asyncio.sleep(wait)

    async def _ask_turn(self, host: str, known: _Host, delay: float, *, again: bool) -> float | None:
        """None when the turn is now, else the seconds after which to ask again."""
        spacing = 1_000 * (delay + slack_of(delay))
        try:
            with translated():
                given, wait = await self._turn(
                    keys=[_key(host), _BIRTH], args=[*self._knows(known), spacing, int(again)]
                )
        except RedisUnavailable:
            return _AGAIN_AFTER
        return None if given else int(wait) / 1e6

    async def _place(self, host: str, known: _Host) -> None:
        """Wait for a place and take it."""
        self._active.add(host)
        if not known.waiting and known.free(time.monotonic()):
            known.busy += 1
            known.peak = max(known.peak, known.busy)
            return
        turn = asyncio.get_running_loop().create_future()
        known.waiting.append(turn)
        known.peak = max(known.peak, known.busy + len(known.waiting))
        now = time.monotonic()
        if now >= known.valid_until or (known.granted < self._concurrency and known.may_ask(now)):
            self._ask(host)
        else:
            known.serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(host)
            raise

    def _ask(self, host: str) -> None:
        self._needy.add(host)
        self._active.add(host)
        self._asked.set()

    async def _keep(self) -> None:
        """Ask for the hosts that need places, at once, and renew what is held, twice a second."""
        renewed_at, said = 0.0, False
        with contextlib.suppress(RedisUnavailable), translated():
            await self._redis.register_script(BIRTH)(keys=[_BIRTH])
        while True:
            wait = _RENEW_EVERY - (time.monotonic() - renewed_at)
            if wait > 0 and not self._needy:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._asked.wait()
            self._asked.clear()
            renew = time.monotonic() - renewed_at >= _RENEW_EVERY
            hosts = list(self._active if renew else self._needy)
            self._needy.clear()
            try:
                for start in range(0, len(hosts), _AT_ONCE):
                    await self._grant(hosts[start : start + _AT_ONCE])
                if renew:
                    renewed_at = time.monotonic()
                said = False
            except RedisUnavailable as error:
                if not said:
                    log.warning("throttle.waits", error=str(error))
                said = True
                renewed_at = 0.0
                await asyncio.sleep(_AGAIN_AFTER)
            if self._needy:
                await asyncio.sleep(_ASK_EVERY)

    async def _grant(self, names: list[str]) -> None:
        """Have the places of some hosts granted or renewed; those who need none are given back."""
        hosts = [(name, self._hosts[name]) for name in names]
        asked_at = time.monotonic()
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name, known in hosts:
                    held = known.granted if asked_at < known.valid_until else known.busy
                    numbers = [known.wanted(), known.busy, held, self._concurrency]
                    await self._places(
                        keys=[_key(name), _BIRTH], args=[*self._knows(known), *numbers], client=pipeline
                    )
                answers = await pipeline.execute()
        now = time.monotonic()
        for (name, known), (granted, pause) in zip(hosts, answers, strict=True):
            known.granted = int(granted)
            known.asked_at = asked_at
            known.valid_until = asked_at + GRANT_SECONDS
            if pause:
                known.paused_until = max(known.paused_until, now + pause / 1_000)
            known.serve()
            if known.waiting and known.granted == 0 and now >= known.paused_until:
                self._needy.add(name)
            elif not (known.granted or known.busy or known.waiting):
                self._active.discard(name)

    def _knows(self, known: _Host) -> list[str | float]:
        """What this worker can tell a Redis that lost its memory."""
        now = time.monotonic()
        ago = 1_000 * (now - known.own_at) if known.own_at > 0 else -1
        return [self._worker, 1_000 * GRANT_SECONDS, max(0.0, 1_000 * (known.paused_until - now)), ago]

    def _add(self, host: str) -> _Host:
        if len(self._hosts) >= _REMEMBER:
            now = time.monotonic()
            self._hosts = {
                name: known
                for name, known in self._hosts.items()
                if name in self._active or not known.at_rest(now)
            }
        known = self._hosts[host] = _Host()
        return known


def _key(host: str) -> str:
    return f"{PREFIX}:host:{host}"
