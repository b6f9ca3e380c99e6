"""Live events between the processes of a fleet, by Redis pub/sub."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Self

import msgspec
import structlog
from redis.asyncio import Redis

from scrapemaster.domain.errors import RedisUnavailable
from scrapemaster.domain.events import Event
from scrapemaster.fleet.connection import PREFIX, cancelled, connect, disconnect, translated

log = structlog.get_logger(__name__)

CHANNEL = f"{PREFIX}:events"
NUDGES = f"{PREFIX}:nudges"
#: Events that wait to be sent at most; the oldest are dropped, as nobody depends on hearing them.
_WAITING = 1_000
#: Seconds before Redis is tried again.
_AGAIN_AFTER = 0.5

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


class RedisBus:
    """An `EventSink` whose events reach those who `subscribe` in every process of the fleet, this one included; a `Courier` too.

    Use as an async context manager. Without Redis nothing is heard and nothing raised.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._listeners: list[Callable[[Event], None]] = []
        self._nudged: list[Callable[[], None]] = []
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_WAITING)
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._redis = connect(self._url)
        self._tasks = [asyncio.create_task(self._keep(part)) for part in (self._send, self._listen)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await cancelled(self._tasks)
        # What a stopping process has to say last, such as that a job ended.
        with contextlib.suppress(RedisUnavailable, TimeoutError):
            async with asyncio.timeout(_AGAIN_AFTER):
                await self._flush(self._redis)
        await disconnect(self._redis)

    def subscribe(self, hear: Callable[[Event], None]) -> None:
        """Have `hear` called with every event that is heard of from now on."""
        self._listeners.append(hear)

    def subscribe_nudges(self, nudged: Callable[[], None]) -> None:
        """Have `nudged` called whenever there is something to deliver, from now on."""
        self._nudged.append(nudged)

    def publish(self, event: Event) -> None:
        """See `ports.events.EventSink`."""
        self._post(CHANNEL, _encoder.encode(event))

    async def nudge(self) -> None:
        """See `ports.webhooks.Courier`."""
        self._post(NUDGES, b"")

    def _post(self, channel: str, message: bytes) -> None:
        self._waiting.append((channel, message))
        self._filled.set()

    async def _keep(self, part: Callable[[Redis], Awaitable[None]]) -> None:
        """Run a part for ever, again after each fault of Redis."""
        said = False
        while True:
            try:
                with translated():
                    await part(self._redis)
                said = False
            except RedisUnavailable as error:
                if not said:
                    log.warning("events.interrupted", error=str(error))
                said = True
                await asyncio.sleep(_AGAIN_AFTER)

    async def _send(self, redis: Redis) -> None:
        await self._filled.wait()
        self._filled.clear()
        await self._flush(redis)

    async def _flush(self, redis: Redis) -> None:
        with translated():
            while self._waiting:
                async with redis.pipeline(transaction=False) as pipeline:
                    while self._waiting and len(pipeline) < 100:
                        pipeline.publish(*self._waiting.popleft())
                    await pipeline.execute()

    async def _listen(self, redis: Redis) -> None:
        async with redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL, NUDGES)
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
                if message is None:
                    # A peer that vanished without a word is found out by this.
                    await pubsub.ping()
                    continue
                if message["channel"] == NUDGES.encode():
                    for nudged in self._nudged:
                        nudged()
                    continue
                try:
                    event = _decoder.decode(message["data"])
                except msgspec.DecodeError:
                    continue  # another version's, or another program's
                for hear in self._listeners:
                    hear(event)
