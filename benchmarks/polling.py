"""Many clients that watch one service while it crawls: `python -m benchmarks.polling [--clients N] [--seconds S]`.

Clients keep their connection but for one request in ten, after which they connect anew. Each asks for the job and for rows
in turn, with a pause between. They run in a process of their own; the crawl's speed beside them is compared with its speed alone.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

#: More pages than are crawled in any run.
PAGES = 5_000_000
#: The promises: share of the crawl's speed that is left, and growth of the service's memory in MB after the first quarter.
LEAST_SHARE = 0.70
MOST_GROWTH = 20.0


@dataclass
class Polled:
    """What clients saw. Latencies are in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """What clients ask, and how often."""

    port: int
    paths: tuple[str, ...]
    token: str
    pause: float
    end: float


async def poll(target: Target, number: int, seen: Polled) -> None:
    """One client."""
    chance = random.Random(number)
    port, paths, token, pause, end = target.port, target.paths, target.token, target.pause, target.end
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    await asyncio.sleep(chance.uniform(0, pause))
    turn = chance.randrange(len(paths))
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", port)
            reader, writer = connection
            turn += 1
            writer.write(
                f"GET {paths[turn % len(paths)]} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
            json.loads(await reader.readexactly(length))
            seen.statuses[head.split(b" ", 2)[1].decode()] += 1
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            seen.statuses[type(error).__name__] += 1
            connection = None
        seen.latencies.append(time.monotonic() - began)
        if connection is not None and chance.random() < 0.1:
            connection[1].close()
            connection = None
        await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)) * chance.uniform(0.8, 1.2))
    if connection is not None:
        connection[1].close()


async def clients(target: Target, count: int) -> dict[str, Any]:
    """All clients of a process; returns their figures."""
    seen = Polled()
    await asyncio.gather(*(poll(target, number, seen) for number in range(count)))
    return int(bool(errors) or share < LEAST_SHARE or last - settled > MOST_GROWTH)


if __name__ == "__main__":
    raise SystemExit(main())
