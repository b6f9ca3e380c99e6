"""Clients of the one Redis, by address; its errors become ours here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from scrapemaster.domain.errors import RedisUnavailable

#: First part of every key and channel of ours.
PREFIX = "scrapemaster"
#: Seconds a command, and a connection, may take.
ANSWER_SECONDS = 2.0
#: What the client raises when Redis cannot be used. RuntimeError is uvloop's, for a connection that was closed since it was last used.
_FAULTS = (RedisError, OSError, TimeoutError, RuntimeError)
#: Port of Sentinels whose address names none.
_SENTINEL_PORT = 26_379


@dataclass(slots=True, frozen=True)
class SentinelAddress:
    """What a `redis+sentinel://` address says. `options` are for the connections to the server itself."""

    sentinels: list[tuple[str, int]]
    service: str
    options: dict[str, Any]
    sentinel_options: dict[str, Any]


def parse_sentinel(url: str) -> SentinelAddress:
    """Take a `redis+sentinel://[user:password@]host[:port][,…]/service[/db][?options]` apart.

    The `rediss+` form uses TLS to Sentinels and server. `sentinel_username` and `sentinel_password` among the options are for
    the Sentinels.
    """
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    members = place.rpartition("@")[2]
    # One host stands for all of them, so that the library reads user, password, database and options.
    path, question, query = path.partition("?")
    service, _, tail = path.partition("/")
    plain = scheme.removesuffix("+sentinel")
    userinfo = place.rpartition("@")[0]
    stand_in = f"{plain}://{userinfo + '@' if userinfo else ''}host{slash}{tail}{question}{query}"
    options: dict[str, Any] = dict(parse_url(stand_in))
    for name in ("host", "port", "path"):
        options.pop(name, None)
    sentinel_options = {
        name.removeprefix("sentinel_"): options.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in options
    }
    if plain == "rediss":
        options.pop("connection_class", None)
        options["ssl"] = True
        sentinel_options |= {name: value for name, value in options.items() if name.startswith("ssl")}
    sentinels = []
    for member in members.split(","):
        parts = urlsplit(f"//{member.strip()}")
        sentinels.append((parts.hostname or "", parts.port or _SENTINEL_PORT))
    return SentinelAddress(sentinels, unquote(service), options, sentinel_options)


def connect(url: str) -> Redis:
    """A client for an address; connects when it is first used, and again after each fault."""
    bounds: dict[str, Any] = {
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        # A connection that Redis closed in the meantime is made anew at once; what fails twice is down.
        "retry": Retry(NoBackoff(), 1),
        "protocol": 2,
    }
    if "+sentinel" in url.partition("://")[0]:
        address = parse_sentinel(url)
        sentinel = Sentinel(  # type: ignore[no-untyped-call]  # the library's
            address.sentinels,
            sentinel_kwargs={**address.sentinel_options, "socket_timeout": ANSWER_SECONDS},
            **{**bounds, **address.options},
        )
        master: Redis = sentinel.master_for(address.service)
        return master
    return Redis.from_url(url, **bounds)


async def disconnect(redis: Redis) -> None:
    """Close a client of `connect`, its connections to Sentinels too."""
    await redis.aclose(close_connection_pool=True)
    if isinstance(redis.connection_pool, SentinelConnectionPool):
        for sentinel in redis.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose(close_connection_pool=True)


async def cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks and wait until they have ended.

    Again and again, as redis-py's time-outs can swallow a cancellation that comes in the same step of the loop.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.1)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into `RedisUnavailable`."""
    try:
        yield
    except _FAULTS as error:
        raise RedisUnavailable(f"Redis does not answer: {type(error).__name__}: {error}") from error
