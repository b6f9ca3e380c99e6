"""Who is there: signs of life in Redis that expire by themselves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

import msgspec
import structlog

from scrapemaster.domain.errors import RedisUnavailable
from scrapemaster.domain.worker import WorkerReport
from scrapemaster.fleet.connection import PREFIX, cancelled, connect, disconnect, translated

log = structlog.get_logger(__name__)

#: Seconds between signs of life, and for how long one counts.
BEAT_EVERY = 0.5
ALIVE_SECONDS = 2.0
_IDS = f"{PREFIX}:workers"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(WorkerReport)


class Registry:
    """A `ports.workers.Workers` over Redis; with `report` it gives signs of life for the worker that it is in.

    Use as an async context manager. It looks twice a second, so that `count` and `redis_answers` cost nothing.
    """

    def __init__(self, url: str, report: Callable[[], WorkerReport] | None = None) -> None:
        self._url = url
        self._report = report
        self._reports: list[WorkerReport] = []
        self.redis_answers = False
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._redis = connect(self._url)
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._keeper is not None:
            await cancelled([self._keeper])
        if self._report is not None:
            with contextlib.suppress(RedisUnavailable, TimeoutError):
                async with asyncio.timeout(BEAT_EVERY):
                    await self._leave(self._report().id)
        await disconnect(self._redis)

    @property
    def count(self) -> int:
        """How many workers there are; what was known last when Redis does not answer."""
        return len(self._reports)

    async def reports(self) -> list[WorkerReport]:
        """See the port."""
        return await self._look()

    async def ping(self) -> None:
        """Return if Redis answers; raises `RedisUnavailable` if not."""
        with translated():
            await self._redis.ping()

    async def _keep(self) -> None:
        while True:
            try:
                if self._report is not None:
                    await self._beat(self._report())
                self._reports = await self._look()
                if not self.redis_answers:
                    log.info("redis.answers", workers=len(self._reports))
                self.redis_answers = True
            except RedisUnavailable as error:
                if self.redis_answers:
                    log.warning("redis.unavailable", error=str(error))
                self.redis_answers = False
            await asyncio.sleep(BEAT_EVERY)

    async def _beat(self, report: WorkerReport) -> None:
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.sadd(_IDS, report.id)
                pipeline.set(_key(report.id), _encoder.encode(report), px=int(1_000 * ALIVE_SECONDS))
                await pipeline.execute()

    async def _leave(self, worker: str) -> None:
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.srem(_IDS, worker)
                pipeline.delete(_key(worker))
                await pipeline.execute()

    async def _look(self) -> list[WorkerReport]:
        with translated():
            ids = sorted(_text(name) for name in await self._redis.smembers(_IDS))
            values = await self._redis.mget([_key(name) for name in ids]) if ids else []
            gone = [name for name, value in zip(ids, values, strict=True) if value is None]
            if gone:
                await self._redis.srem(_IDS, *gone)
        reports = []
        for value in values:
            with contextlib.suppress(msgspec.DecodeError):  # another version's
                if value is not None:
                    reports.append(_decoder.decode(value))
        return sorted(reports, key=lambda report: (report.started_at, report.id))


def _key(worker: str) -> str:
    return f"{PREFIX}:worker:{worker}"


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
