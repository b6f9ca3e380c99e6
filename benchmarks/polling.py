"""Many clients that watch one service while it crawls: `python -m benchmarks.polling [--clients N] [--seconds S]`.

Clients keep their connection but for one request in ten, after which they connect anew. Each asks for the job and for rows
in turn, with a pause between. They run in a process of their own; the crawl's speed beside them is compared with its speed alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import uvloop

from benchmarks.conformance import quiet_service
from benchmarks.memory import rss
from benchmarks.service import Service
from benchmarks.tree import tree

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
    cuts = statistics.quantiles(seen.latencies, n=100)
    return {
        "statuses": seen.statuses,
        "requests": len(seen.latencies),
        "p50": cuts[49],
        "p99": cuts[98],
        "max": max(seen.latencies),
    }


def crawled(service: Service, job: str, seconds: float, memory: list[float]) -> float:
    """Pages a second over some seconds; the service's memory is noted meanwhile."""
    first, began = service.job(job)["pages_fetched"], time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(min(1.0, seconds))
        memory.append(rss(service.pid))
    return float((service.job(job)["pages_fetched"] - first) / (time.monotonic() - began))


def main() -> int:
    """Measure and report; exit code 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.polling")
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two requests of a client")
    parser.add_argument("--as-clients", nargs=3, metavar=("PORT", "JOB", "TOKEN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.as_clients:
        return measure(options.clients, options.pause, options.seconds)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port, job, token = options.as_clients
    paths = (f"/api/v1/jobs/{job}", f"/api/v1/results/{job}?limit=20")
    target = Target(int(port), paths, token, options.pause, time.monotonic() + options.seconds)
    print(json.dumps(uvloop.run(clients(target, options.clients))))
    return 0


def measure(count: int, pause: float, seconds: float) -> int:
    """Crawl alone, then beside the clients, then alone again: the machine may have changed meanwhile."""
    memory: list[float] = []
    with tree(PAGES) as url, quiet_service() as service:
        job = service.create(
            url=url,
            selectors={"n": "p.n::text", "title": "h1::text"},
            config={"follow_links": True, "max_pages": PAGES, "concurrency": 16},
        )["id"]
        crawled(service, job, 5.0, [])
        alone = [crawled(service, job, seconds / 3, [])]
        command = [sys.executable, "-m", "benchmarks.polling", "--clients", str(count), "--pause", str(pause)]
        command += ["--seconds", str(seconds), "--as-clients", str(service.port), job]
        with subprocess.Popen(
            [*command, str(service.http.headers["Authorization"])],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as process:
            beside = crawled(service, job, seconds, memory)
            out, _ = process.communicate(timeout=120)
        alone.append(crawled(service, job, seconds / 3, []))
        service.act(job, "cancel")
    figures = json.loads(out)
    errors = {name: n for name, n in figures["statuses"].items() if name not in {"200", "429"}}
    share = beside / statistics.mean(alone)
    settled, last = memory[len(memory) // 4], statistics.mean(memory[-5:])
    print(
        "| figure | value |\n|---|---:|\n"
        f"| clients | {count:,} |\n| requests | {figures['requests']:,} ({figures['requests'] / seconds:,.0f}/s) |\n"
        f"| errors other than 429 | {sum(errors.values())} {errors or ''} |\n"
        f"| p50, p99, longest | {figures['p50'] * 1e3:,.0f} ms, {figures['p99'] * 1e3:,.0f} ms, {figures['max'] * 1e3:,.0f} ms |\n"
        f"| memory of the API after a quarter, at the end | {settled:.0f} MB, {last:.0f} MB |\n"
        f"| crawl alone before, after | {alone[0]:,.0f}, {alone[1]:,.0f} pages/s |\n"
        f"| crawl beside the clients | {beside:,.0f} pages/s ({share:.0%}) |"
    )
    return int(bool(errors) or share < LEAST_SHARE or last - settled > MOST_GROWTH)


if __name__ == "__main__":
    raise SystemExit(main())
